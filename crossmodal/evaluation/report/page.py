"""Self-contained pages: one file, no request to anywhere, light and dark, readable on a phone."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from crossmodal.data.extras import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""What figures are drawn with where the page's own colour of text is to stand."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2126; --faint: #67717b; --line: #dde1e5; --l: 84%;
  --hot: #d9480f }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e4e8eb; --faint: #98a2ab; --line: #333b43;
  --l: 29%; --hot: #ff8a4c } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 64rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .3rem 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem } p { margin: .4rem 0; max-width: 46rem }
small, .faint, dt, th { color: var(--faint); font-weight: normal }
pre { margin: .4rem 0; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .8rem;
  white-space: pre-wrap }
summary { cursor: pointer; color: var(--faint) } details { margin: .5rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .6rem 0 } dd { margin: 0 }
.figures { display: flex; flex-wrap: wrap; gap: 2.5rem; margin: 1rem 0 } .figures b { font-size: 2rem; display: block;
  line-height: 1.1; font-weight: 600 }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem }
.scroll { overflow-x: auto } .wide { min-width: 52rem }
svg { display: block; width: 100%; height: auto }
.strip { display: grid; grid-template-columns: repeat(10, 1fr); gap: .386%; margin: 1px 0 3px; font-size: .68rem }
.strip span { --s: 55%; padding: .15rem .2rem; overflow: hidden; white-space: nowrap; text-overflow: ellipsis;
  background: hsl(var(--h, 0) var(--s) var(--l)); border-radius: 2px } .strip .none { --s: 0% }
.strip .wrong { box-shadow: inset 0 -3px var(--hot) }
.row { font-size: .72rem; color: var(--faint); margin: .5rem 0 0 }
table { border-collapse: collapse; font-size: .78rem; white-space: nowrap }
td, th { padding: .15rem .4rem; text-align: right }
td { border: 1px solid var(--line); background: color-mix(in srgb, var(--hot) calc(var(--p, 0) * 1%), transparent) }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper) }
thead th { vertical-align: bottom } thead th + th span { writing-mode: vertical-rl; transform: rotate(180deg) }
"""
PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>$style</style></head><body>
$body
</body></html>
""")

HUES = {"red": 0, "yellow": 52, "green": 120, "cyan": 185, "blue": 230, "magenta": 310}
"""Classes that are named after a colour have it."""


def page(title: str, *parts: str) -> str:
    """A page of parts that are HTML already."""
    return PAGE.substitute(title=escape(title), style=STYLE, body="\n".join(parts))


def element(name: str, *words: object, **attributes: str) -> str:
    """An element of escaped words; `class_` is its class."""
    given = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{escape(' '.join(map(str, words)))}</{name}>"


def facts(of: Mapping[str, object]) -> str:
    """Names and what they are."""
    return "<dl>" + "".join(element("dt", name) + element("dd", fact) for name, fact in of.items()) + "</dl>"


def folded(heading: str, *parts: str) -> str:
    """Parts that open when their heading is touched."""
    return f"<details>{element('summary', heading)}{''.join(parts)}</details>"


def scrolling(*parts: str) -> str:
    """Parts as wide as ten seconds need, to be moved sideways where the screen is narrow."""
    return f'<div class="scroll"><div class="wide">{"".join(parts)}</div></div>'


def strip(
    labels: Sequence[int],
    classes: Sequence[str],
    *,
    scores: Sequence[float] = (),
    truth: Sequence[int] = (),
    start: int = 0,
) -> str:
    """A coloured cell a second, ten beside each other: the class, its score, and a mark where it is not the truth."""
    cells = []
    for second, label in enumerate(labels):
        name = classes[label] if label < len(classes) else "background"
        wrong = bool(truth) and truth[second] != label
        said = f"{name} {scores[second]:.2f}" if scores else name
        kind = " ".join(word for word, yes in (("none", label == len(classes)), ("wrong", wrong)) if yes)
        hue = HUES.get(name, round(label * 137.5) % 360)  # the golden angle: neighbours differ
        title = f"{start + second} s: {said}{', wrong' * wrong}"
        cells.append(element("span", "✗ " * wrong + said, style=f"--h:{hue}", class_=kind, title=title))
    return f'<div class="strip">{"".join(cells)}</div>'


def inked() -> Any:
    """A context in which figures are drawn in the page's colours and their text stays text."""
    inks = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    rc_context = need("matplotlib", "report.html").rc_context
    return rc_context({**dict.fromkeys(inks, INK), "svg.fonttype": "none", "axes.facecolor": "none"})


def inline(figure: "Figure", name: str, *, share: float = 1.0) -> str:
    """A figure drawn within `inked()` as SVG to stand in a page.

    - `name`: unlike that of other figures of the page. `share`: of the width that it takes.
    """
    import matplotlib

    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(drawn, format="svg", dpi=110, transparent=True, metadata={"Date": None})
    svg = drawn.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>|<g id=\"[^\"]*\"|<!--.*?-->", _bare, svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2).replace(INK, "currentColor")
    svg = svg.replace("<svg ", f'<svg style="width:{100 * share:.2f}%" ', 1)
    return re.sub(r"data:image/png;base64,([\w+/=\s]+)", lambda found: _small(found[1]), svg)


def _bare(found: re.Match[str]) -> str:
    return "<g" if found[0].startswith("<g") else ""


def _small(png: str) -> str:
    """A picture as WebP, a fifth of its size, where Pillow writes it."""
    from PIL import Image, features

    kept = re.sub(r"\s", "", png)
    if not features.check("webp"):
        return f"data:image/png;base64,{kept}"
    smaller = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(kept))).save(smaller, "webp", quality=75)
    return "data:image/webp;base64," + base64.b64encode(smaller.getvalue()).decode()
