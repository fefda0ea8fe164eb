"""Draws the pictures of docs/systems.md: `python docs/draw_systems.py` writes docs/assets/systems/*.svg.

A picture has a lane per modality, which run from left to right and meet in boxes that read both. Grey boxes are frozen
or have nothing to train, orange ones are trained; an arrow between lanes says which box reads what of the other
modality.
"""

from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent / "assets" / "systems"
WIDTH, HEIGHT, GAP, EDGE = 106, 42, 18, 10
LANES = {"visual": 10, "audio": 78, "both": 44}


class Flow(NamedTuple):
    """Picture of one system.

    Attributes:
        visual: Boxes of the visual lane, from left to right; a box is one or two words, over each other at a bar. One
            in front of which stands `*` is frozen.
        audio: Boxes of the audio lane.
        both: Boxes that read both, behind the lanes.
        across: From lane and box to lane and box, counted from 0: what else is read.
    """

    visual: tuple[str, ...]
    audio: tuple[str, ...]
    both: tuple[str, ...]
    across: tuple[tuple[str, int, str, int], ...] = ()


VGG = ("*VGG-19|7×7 tokens",), ("*VGGish|vector",)
LLP = ("*ResNet-152|R(2+1)D-18",), ("*VGGish|vector",)
BOTH_WAYS = (("visual", 1, "audio", 1), ("audio", 1, "visual", 1))
LISTEN = (("audio", 0, "visual", 1),)

FLOWS = {
    "ave_avel_av": Flow(
        (*VGG[0], "*mean of|positions", "LSTM"), (*VGG[1], "LSTM"), ("concat, MLP", "label of|a second")
    ),
    "ave_avel": Flow(
        (*VGG[0], "attention|by sound", "LSTM"), (*VGG[1], "LSTM"), ("concat, MLP", "label of|a second"), LISTEN
    ),
    "ave_avsdn": Flow(
        (*VGG[0], "attention|by sound", "LSTM"), (*VGG[1], "LSTM"), ("LSTM, begun|by both ends", "when, what"), LISTEN
    ),
    "ave_cman": Flow(
        (*VGG[0], "where: cosine|with sound", "when: self-|attention", "which: LSTM|of the other"),
        (*VGG[1], "when: self-|attention", "which: LSTM|of the other"),
        ("label of|a second",),
        (("audio", 0, "visual", 1), ("audio", 1, "visual", 3), ("visual", 2, "audio", 2)),
    ),
    "ave_dam": Flow(
        (*VGG[0], "attention|by sound", "self-|attention"),
        (*VGG[1], "self-|attention"),
        ("clip of one ·|second of other", "when, what"),
        LISTEN,
    ),
    "ave_cmran": Flow(
        (*VGG[0], "channels,|positions", "encoder", "decoder"),
        (*VGG[1], "encoder", "decoder"),
        ("product at-|tends to both", "when, what"),
        (("audio", 0, "visual", 1), ("audio", 1, "visual", 3), ("visual", 2, "audio", 2)),
    ),
    "ave_cmbs": Flow(
        (*VGG[0], "channels,|positions", "LSTM, en-,|decoder", "× 1 + α gate|of sound"),
        (*VGG[1], "LSTM, en-,|decoder", "× 1 + α gate|of picture"),
        ("products at-|tend to both", "when, what,|best seconds"),
        (("audio", 0, "visual", 1), ("audio", 1, "visual", 3), ("visual", 2, "audio", 2)),
    ),
    "ave_lavish_shared": Flow(
        ("*Swin-V2-L", "*mean of|tokens"),
        ("*filter banks|as picture", "*the same|Swin-V2-L", "*mean of|tokens"),
        ("two linear|layers", "label of|a second"),
        (("visual", 0, "audio", 1), ("audio", 1, "visual", 0)),
    ),
    "ave_lavish": Flow(
        ("*Swin-V2-L", "latent to-|kens in it", "*mean of|tokens"),
        ("*HTS-AT", "latent to-|kens in it", "*mean of|tokens"),
        ("attention|over time", "when, what"),
        BOTH_WAYS,
    ),
    "ave_dg_sct": Flow(
        ("*Swin-V2-L", "maps of chan-|nel, position", "*pooled by|last map"),
        ("*HTS-AT", "maps of chan-|nel, position", "*pooled by|last map"),
        ("attention|over time", "when, what"),
        BOTH_WAYS,
    ),
    "avvp_avel": Flow((*LLP[0], "frames|weighed", "LSTM"), (*LLP[1], "LSTM"), ("heard, seen,|each second",), LISTEN),
    "avvp_avsdn": Flow(
        (*LLP[0], "frames|weighed", "LSTM"),
        (*LLP[1], "LSTM"),
        ("LSTM, begun|by both ends", "heard, seen,|each second"),
        LISTEN,
    ),
    "avvp_han": Flow(
        (*LLP[0], "self + cross|attention", "labels of|a second"),
        (*LLP[1], "self + cross|attention", "labels of|a second"),
        ("attentive|pooling", "labels of|the clip"),
        BOTH_WAYS,
    ),
    "avvp_mgn": Flow(
        (*LLP[0], "class tokens|gather seconds", "labels of|a second"),
        (*LLP[1], "class tokens|gather seconds", "labels of|a second"),
        ("groups of|both", "labels of|the clip"),
        (("visual", 1, "audio", 2), ("audio", 1, "visual", 2)),
    ),
    "avvp_dg_sct": Flow(
        ("*Swin-V2-L", "maps of chan-|nel, position", "gates over|time"),
        ("*HTS-AT", "maps of chan-|nel, position", "gates over|time"),
        ("MGN's head", "heard, seen,|each second"),
        (*BOTH_WAYS, ("audio", 1, "visual", 2), ("visual", 1, "audio", 2)),
    ),
    "avs_tpavi": Flow(
        ("PVT-v2-B5|4 levels", "dilated|sums"), ("*VGGish|vector",), ("pixels attend|to sound", "decoder", "mask")
    ),
    "avs_lavish": Flow(
        ("*Swin-V2-L", "latent to-|kens in it", "4 levels"),
        ("*Swin-V2-L|or HTS-AT", "latent to-|kens in it", "*mean of|tokens"),
        ("pixels attend|to sound", "decoder", "mask"),
        BOTH_WAYS,
    ),
    "avs_dg_sct": Flow(
        ("*Swin-V2-L", "maps of chan-|nel, position", "4 levels,|gated"),
        ("HTS-AT", "maps of chan-|nel, position", "pooled,|gated"),
        ("pixels attend|to sound", "decoder", "mask"),
        (*BOTH_WAYS, ("audio", 1, "visual", 2), ("visual", 1, "audio", 2)),
    ),
}


def picture(name: str, flow: Flow) -> str:
    """Returns the SVG of a system."""
    longest = max(len(flow.visual), len(flow.audio))
    places = {
        **{
            (lane, at): (left(at), LANES[lane])
            for lane in ("visual", "audio")
            for at in range(len(getattr(flow, lane)))
        },
        **{("both", at): (left(longest + at), LANES["both"]) for at in range(len(flow.both))},
    }
    width = left(longest + len(flow.both)) - GAP + EDGE
    tip = f'marker-end="url(#tip-{name})"'
    drawn = [
        f'<svg class="sketch" viewBox="0 0 {width} 130" style="max-width: {width}px" '
        f'xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(spoken(flow), {chr(34): "&quot;"})}">',
        f'  <defs><marker id="tip-{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
        'orient="auto"><path class="tip" d="M 0 0 L 8 4 L 0 8 z"/></marker></defs>',
    ]
    for lane in LANES:
        words = getattr(flow, lane)
        for at, word in enumerate(words):
            drawn += box(word, *places[lane, at])
            ahead = ("both", 0) if lane != "both" and at + 1 == len(words) else (lane, at + 1)
            if ahead in places:
                drawn.append(f'  <path class="arrow" d="{along(places[lane, at], places[ahead])}" {tip}/>')
    for lane, at, other, to in flow.across:
        drawn.append(f'  <path class="write" d="{over(places[lane, at], places[other, to])}" {tip}/>')
    return "\n".join([*drawn, "</svg>", ""])


def left(at: int) -> int:
    """Returns where a column begins."""
    return EDGE + at * (WIDTH + GAP)


def box(word: str, x: int, y: int) -> list[str]:
    """Draws a box with one or two lines of text."""
    lines = word.removeprefix("*").split("|")
    kind = "frozen" if word.startswith("*") else "trained"
    first = y + HEIGHT / 2 + (4 if len(lines) == 1 else -4)
    texts = [
        f'  <text class="small" x="{x + WIDTH / 2:g}" y="{first + 15 * at:g}">{escape(line)}</text>'
        for at, line in enumerate(lines)
    ]
    return [f'  <rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>', *texts]


def along(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Returns the path of an arrow from the right side of a box to the left side of another, around corners."""
    x, y = start[0] + WIDTH, start[1] + HEIGHT / 2
    to_x, to_y = end[0] - 2, end[1] + HEIGHT / 2
    if y == to_y:
        return f"M {x} {y:g} L {to_x} {to_y:g}"
    to_y += 9 if y > to_y else -9  # both lanes arrive, one above the other
    middle = to_x - GAP / 2
    return f"M {x} {y:g} L {middle:g} {y:g} L {middle:g} {to_y:g} L {to_x} {to_y:g}"


def over(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Returns the path of an arrow from one lane into a box of the other; arrows up keep left, arrows down right."""
    down = end[1] > start[1]
    shift = WIDTH * (0.62 if down else 0.38)
    y, to_y = (start[1] + HEIGHT, end[1] - 2) if down else (start[1], end[1] + HEIGHT + 2)
    x, to_x = start[0] + shift, end[0] + shift
    middle = (y + to_y) / 2 + (5 if down else -5)
    return f"M {x:g} {y} L {x:g} {middle:g} L {to_x:g} {middle:g} L {to_x:g} {to_y}"


def spoken(flow: Flow) -> str:
    """Returns the picture in words, for those who do not see it."""
    lanes = {lane: ", ".join(getattr(flow, lane)).replace("|", " ").replace("*", "frozen ") for lane in LANES}
    read = "; ".join(f"{lane} box {at + 1} is read by {other} box {to + 1}" for lane, at, other, to in flow.across)
    return f"Visual: {lanes['visual']}. Audio: {lanes['audio']}. Both: {lanes['both']}." + (f" {read}." if read else "")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, flow in FLOWS.items():
        (FOLDER / f"{name}.svg").write_text(picture(name, flow), encoding="utf-8")
    print(f"{len(FLOWS)} pictures in {FOLDER}/")
