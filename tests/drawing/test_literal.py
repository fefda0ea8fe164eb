"""Names and labels are drawn as they stand, whatever they hold."""

import io

import pytest
import torch

from crossmodal.drawing import ScatterPanel, label_strips, scatter_figure
from crossmodal.drawing.canvas import new_figure
from crossmodal.evaluation.report.page import as_picture, page_style

NAMES = [r"A$\x$B", "Ba$$in", "50 % {a} _b", r"\$1 ^_ $", "<b>&amp;</b>"]


def scatter():
    panels = [ScatterPanel(NAMES[0], NAMES[1], torch.rand(5, 2))]
    return scatter_figure(panels, torch.arange(5), NAMES, title=NAMES[0], caption=NAMES[1])


def strips():
    return label_strips({NAMES[0]: range(5)}, NAMES)


def ticks():
    figure = new_figure(3, 3)
    axes = figure.add_subplot()
    axes.set_yticks(range(5), NAMES)
    axes.set_title(NAMES[0])
    figure.set_layout_engine("tight")
    return figure


@pytest.mark.parametrize("drawn", [scatter, strips, ticks])
def test_no_text_is_a_formula(drawn):
    drawn().savefig(io.BytesIO(), format="png")
    with page_style():
        svg = str(as_picture(drawn(), "it").svg)
    for name in (r"A$\x$B", "50 % {a} _b", "&lt;b&gt;&amp;amp;"):
        assert name in svg
