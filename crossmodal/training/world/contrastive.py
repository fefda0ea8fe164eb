"""Pre-trains tiny CLIP and tiny CLAP on captions of the world: `python -m crossmodal.training.world.contrastive`.

The tiny encoders stay frozen, so they run once; pooling, projections and text towers learn. A caption names the colour
and texture of an object, with its shape or without, or one of both alone; for a sound, of an object that has its
timbre. Seconds that show a held-out pair are left out, and no caption names one.
"""

import json
import math
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data.world import SHAPES, World
from crossmodal.data.world.captions import (
    BACKGROUND,
    COLOUR_WORDS,
    PHOTO_TEMPLATES,
    SOUND_TEMPLATES,
    is_held_out,
    pair_name,
)
from crossmodal.encoders.by_name.tiny import tiny_log_mel
from crossmodal.encoders.by_name.tiny_texts import CLAP, CLIP, FROZEN, tiny_clap, tiny_clip, tiny_tokenizer
from crossmodal.encoders.towers import DualEncoder, cosines
from crossmodal.injection import freeze
from crossmodal.option_parser import OptionParser
from crossmodal.training.world.pretrain import pace, report, write
from crossmodal.training.world.zero_shot import zero_shot

RATE, BATCH, LONGEST_PREFIX, OF_A_KIND = 2e-3, 128, 16, 40


class Seconds(NamedTuple):
    """Seconds of the world as the frozen encoders give them, and what is true of each.

    Attributes:
        tokens: Stream after the last section of the visual encoder.
        sound: The same of the audio encoder.
        seen: Which texture, colour and shape an object has that is shown.
        heard: Which textures sound.
    """

    tokens: Float[Tensor, "second token channel"]
    sound: Float[Tensor, "second audio_token audio_channel"]
    seen: Bool[Tensor, "second texture colour shape"]
    heard: Bool[Tensor, "second texture"]


@torch.no_grad()
def frozen_seconds(world: World, clip: DualEncoder, clap: DualEncoder, *, held_out: bool, every: int = 2) -> Seconds:
    """Runs the frozen encoders on every `every`-th second of a world.

    Args:
        world: The clips.
        clip: Whose visual encoder runs.
        clap: Whose audio encoder runs.
        held_out: Whether seconds that show a held-out pair are among them.
        every: Step between seconds, from another start in each clip.
    """
    from tqdm import tqdm

    log_mel, parts = tiny_log_mel(), list[tuple[Tensor, ...]]()
    hidden = np.array([[is_held_out(t, c) for c in range(len(COLOUR_WORDS))] for t in range(len(world.texture_names))])
    for index in tqdm(range(len(world)), desc="seconds", unit="clip", mininterval=5):
        objects, _ = world.scene(index)
        shows = hidden[objects.texture, objects.colour] & (objects.radius > 0)
        taken = np.arange(index % every, len(shows), every)
        taken = taken if held_out else taken[~shows.any(axis=1)[taken]]
        if not len(taken):
            continue
        images, wave, truth = world.render(index)
        frames, sound = world.preprocess(torch.from_numpy(images[taken]), torch.from_numpy(wave[taken]))
        seen = np.zeros((len(taken), *hidden.shape, len(SHAPES)), bool)
        for row, second in enumerate(taken):
            on = truth.shown[second]
            seen[row, truth.objects.texture[second, on], truth.objects.colour[on], truth.objects.shape[on]] = True
        streams = (
            clip.tower.blocks(clip.tower.encoder.stem(frames)),
            clap.tower.blocks(clap.tower.encoder.stem(log_mel(sound))),
        )
        parts.append((*streams, torch.from_numpy(seen), torch.from_numpy(truth.audible[taken])))
    return Seconds(*(torch.cat(part) for part in zip(*parts, strict=True)))


class Captions(NamedTuple):
    """What captions can name, without templates, and of which seconds each is true, `(second, caption)` by kind."""

    names: tuple[str, ...]
    true: Bool[Tensor, "second caption"]
    kinds: tuple[slice, ...]


def captions_of_frames(world: World, seen: Tensor) -> Captions:
    """Returns textures, colours, pairs, and pairs with a shape, and which of them a second shows; background never."""
    textures, colours = world.texture_names, COLOUR_WORDS
    kept = [(t, c) for t in range(len(textures)) for c in range(len(colours)) if not is_held_out(t, c)]
    shaped = [f"{pair_name(*pair)} {shape}" for pair in kept for shape in SHAPES]
    rows, columns = torch.tensor(kept).T
    never = torch.zeros(len(seen), 1, dtype=torch.bool)
    groups = (
        ((*textures, BACKGROUND), torch.cat([seen.any(-1).any(-1), never], dim=1)),
        (colours, seen.any(-1).any(-2)),
        ((*(pair_name(*pair) for pair in kept), BACKGROUND), torch.cat([seen.any(-1)[:, rows, columns], never], dim=1)),
        (tuple(shaped), seen[:, rows, columns].flatten(1)),
    )
    return grouped(groups)


def captions_of_sounds(world: World, heard: Tensor) -> Captions:
    """Returns textures with background, and pairs; a pair is true of every sound that its texture has."""
    textures = world.texture_names
    kept = [(t, c) for t in range(len(textures)) for c in range(len(COLOUR_WORDS)) if not is_held_out(t, c)]
    silent = ~heard.any(-1, keepdim=True)
    rows = torch.tensor(kept)[:, 0]
    return grouped(
        (
            ((*textures, BACKGROUND), torch.cat([heard, silent], dim=-1)),
            ((*(pair_name(*pair) for pair in kept), BACKGROUND), torch.cat([heard[:, rows], silent], dim=-1)),
        )
    )


def grouped(groups: tuple[tuple[tuple[str, ...], Tensor], ...]) -> Captions:
    """Puts kinds of captions side by side."""
    ends = np.cumsum([len(names) for names, _ in groups]).tolist()
    kinds = tuple(slice(end - len(names), end) for end, (names, _) in zip(ends, groups, strict=True))
    return Captions(
        tuple(name for names, _ in groups for name in names), torch.cat([t for _, t in groups], dim=1), kinds
    )


def contrastive_loss(logits: Tensor, true: Tensor) -> Tensor:
    """Computes the cross entropies of rows over columns and of columns over rows, with all true ones as targets.

    Rows or columns without a true one count for nothing.
    """
    total = logits.new_zeros(())
    for scores, targets in ((logits, true), (logits.mT, true.mT)):
        counts = targets.sum(-1, keepdim=True)
        share = targets / counts.clamp(min=1)
        total = total + F.cross_entropy(scores, share, reduction="sum") / (counts > 0).sum().clamp(min=1)
    return total / 2


def train_towers(
    model: DualEncoder, streams: Tensor, captions: Captions, templates: tuple[str, ...], *, steps: int, title: str
) -> None:
    """Trains pooling, projection, text tower and scale on frozen streams."""
    from tqdm import tqdm

    tokenizer, draws = tiny_tokenizer(), np.random.default_rng(0)
    freeze(model.tower.encoder)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.05)
    for step in (bar := tqdm(range(steps), desc=title, unit="step", mininterval=5)):
        optimizer.param_groups[0]["lr"] = RATE * pace(step / steps)
        rows = torch.from_numpy(draws.integers(0, len(streams), BATCH))
        kinds = [draws.permutation(np.arange(kind.start, kind.stop))[:OF_A_KIND] for kind in captions.kinds]
        # a prompt of learned vectors takes the places of such words: positions behind them are trained as well
        words = "x " * int(draws.integers(0, LONGEST_PREFIX + 1)) if step % 4 == 3 else ""
        texts = [
            words + templates[draws.integers(len(templates))].format(captions.names[at])
            for kind in kinds
            for at in kind
        ]
        cosine = cosines(model.tower.read(streams[rows]), model.text(tokenizer(texts)))
        logits = (model.scale * cosine).split([len(kind) for kind in kinds], dim=1)
        truths = [captions.true[rows][:, torch.from_numpy(kind)].float() for kind in kinds]
        loss = torch.stack([contrastive_loss(*both) for both in zip(logits, truths, strict=True)]).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 5.0)
        optimizer.step()
        with torch.no_grad():
            model.log_scale.clamp_(max=math.log(100))
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = OptionParser(prog="python -m crossmodal.training.world.contrastive", description=__doc__)
    parser.add_argument("--clips", type=int, default=1200, help="training clips; default %(default)s")
    parser.add_argument("--steps", type=int, default=1200, help="of 128 seconds, for each of both; default %(default)s")
    parser.add_argument("--seed", type=int, default=11, help="of the world and the weights; default %(default)s")
    parser.add_argument("--out", type=Path, default=CLIP.parent, help="folder of the weights; default %(default)s")
    parser.add_argument("--test-clips", type=int, default=300, help="for the figures; default %(default)s")
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    clip, clap = tiny_clip(weights=None), tiny_clap(weights=None)
    world = World("train", clips=options.clips, seed=options.seed, answer="pair")
    seconds = frozen_seconds(world, clip.eval(), clap.eval(), held_out=False)
    print(f"{len(seconds.tokens)} seconds without a held-out pair")
    train_towers(
        clip,
        seconds.tokens,
        captions_of_frames(world, seconds.seen),
        PHOTO_TEMPLATES,
        steps=options.steps,
        title="CLIP",
    )
    train_towers(
        clap,
        seconds.sound,
        captions_of_sounds(world, seconds.heard),
        SOUND_TEMPLATES,
        steps=options.steps,
        title="CLAP",
    )
    figures = zero_shot(
        clip.eval(), clap.eval(), World("test", clips=options.test_clips, seed=options.seed, answer="pair")
    )
    report("Zero-shot, by second:", figures)
    given = shlex.join(sys.argv[1:] if arguments is None else arguments)
    metadata = {
        "command": f"python -m crossmodal.training.world.contrastive {given}".strip(),
        "torch": torch.__version__,
        "zero_shot": json.dumps({name: round(value, 4) for name, value in figures.items()}),
    }
    for model, target in ((clip, CLIP), (clap, CLAP)):
        state = {name: value for name, value in model.state_dict().items() if not name.startswith(FROZEN)}
        write(options.out / target.name, state, metadata)
        print(f"wrote {options.out / target.name}")


if __name__ == "__main__":
    main()
