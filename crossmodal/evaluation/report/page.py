"""Self-contained pages from templates: one file, no request to anywhere, light and dark, readable on a phone."""

import io
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from crossmodal.data.extras import need

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

PAGE_INK = "#010203"
"""Colour of lines and text in figures; `templates/style.css` puts the page's own colour of text in its place."""

FULL = 10.0
"""Inches that fill the width of a page; a narrower figure takes its share."""

DPI = 80
"""Of images within figures: a frame then has about as many pixels as a page shows of it."""

INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "patch.edgecolor")
NOTHING_SAID = dict.fromkeys(("Creator", "Date", "Format", "Type"))
"""Metadata is left out: its names are addresses on other hosts, and a date makes every page differ."""


class Picture(NamedTuple):
    """A figure as it stands in a page.

    Attributes:
        svg: The figure.
        share: Share of the page's width that it takes.
    """

    svg: "Markup"
    share: float = 1.0


def render(template: str, **values: Any) -> str:
    """Returns a page; all text among the values is escaped.

    Args:
        template: File in `templates/`.
        **values: Names that the template uses.

    Raises:
        ImportError: If jinja2 is not installed.
    """
    return _environment().get_template(template).render(**values)


def page_style() -> Any:
    """Returns a context in which figures are drawn in the page's colours, and their text stays text."""
    rc_context = need("matplotlib", "report.html").rc_context
    return rc_context({**dict.fromkeys(INKED, PAGE_INK), "svg.fonttype": "none", "axes.facecolor": "none"})


def as_picture(figure: "Figure", name: str, *, share: float | None = None) -> Picture:
    """Returns a figure that was drawn within `page_style()` as SVG to stand in a page.

    Args:
        figure: The figure.
        name: Unlike that of other figures of the page; the ids in the SVG follow from it.
        share: Share of the width that it takes; by default that of its inches in `FULL`.
    """
    import matplotlib
    from markupsafe import Markup

    drawn = io.StringIO()
    # salted by a name of its own: ids of two figures must differ within a page, and stay the same in the next one
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", dpi=DPI, transparent=True, metadata=NOTHING_SAID)
    svg = drawn.getvalue()
    share = min(1.0, figure.get_figwidth() / FULL) if share is None else share
    return Picture(Markup(svg[svg.index("<svg") :]), share)  # behind the prolog, which a page cannot hold


@cache
def _environment() -> "Environment":
    """Returns the templates of this folder."""
    jinja2 = need("jinja2", "report.html")
    made: Environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crossmodal.evaluation.report"),
        autoescape=True,  # names of files and labels are anybody's
        undefined=jinja2.StrictUndefined,  # else a misspelt value would be blank in the page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made
