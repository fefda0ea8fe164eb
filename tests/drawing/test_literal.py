"""Names and labels are drawn as they stand, whatever they hold."""

import io

import pandas
import pytest
import torch

from crossmodal.drawing import ScatterPanel, label_strips, scatter_figure
from crossmodal.drawing.canvas import new_figure
from crossmodal.drawing.panels import _draw_bars
from crossmodal.evaluation.report.figures import _curve
from crossmodal.evaluation.report.page import as_picture, page_style
from crossmodal.evaluation.score_figures import CurvePoint, curve_figure

NAMES = [r"_A$\x$B", "Ba$$in", "50 % {a} _b", r"\$1 ^_ $", "<b>&amp;</b>"]


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
    for name in (r"_A$\x$B", "50 % {a} _b", "&lt;b&gt;&amp;amp;"):
        assert name in svg


def curves():
    return curve_figure([CurvePoint("", name, "1", 0.5, 0.4, 0.6, 2) for name in NAMES], "shots", "accuracy")


def bars():
    figure = new_figure(3, 3)
    _draw_bars(figure.add_subplot(), {name: torch.rand(2) for name in NAMES}, 2)
    return figure


@pytest.mark.parametrize("drawn", [scatter, curves, bars])
def test_a_legend_has_every_name(drawn):
    """Matplotlib leaves out those that begin with an underscore."""
    figure = drawn()
    (legend,) = [*figure.legends, *(found for axes in figure.axes if (found := axes.get_legend()))]
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    figure.savefig(io.BytesIO(), format="png")  # what is written is measured when it is drawn


def test_a_curve_of_a_report_has_every_name_and_chance():
    lines = {name: pandas.Series([0.1, 0.2], [1, 2]) for name in NAMES}
    svg = str(_curve("loss", lines, 0.5).svg)
    assert all(f">{name}<" in svg for name in (*NAMES[:4], "chance"))
