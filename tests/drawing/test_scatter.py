"""Points by class: the same colour and mark in every panel, and no two classes share both."""

import pytest
import torch

from crossmodal.drawing import ScatterPanel, scatter_figure
from crossmodal.drawing.scatter import MARKERS, POINT_COLOURS, class_style

POINTS, LABELS = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 2])
NAMES = ("bell", "dog", "train")


def test_every_point_lies_in_its_panel_under_its_class():
    figure = scatter_figure(
        [ScatterPanel("visual", "80 %", POINTS), ScatterPanel("audio", "20 %", -POINTS)], LABELS, NAMES, caption="a\nb"
    )
    first, second = figure.axes
    assert (first.get_title(), second.get_title()) == ("visual\n80 %", "audio\n20 %")
    for axes, sign in ((first, 1), (second, -1)):
        for place, drawn in enumerate(axes.collections):
            assert drawn.get_label() == NAMES[place]
            offsets = torch.as_tensor(drawn.get_offsets().data, dtype=torch.float32)
            torch.testing.assert_close(offsets, sign * POINTS[place == LABELS])
    for one, other in zip(first.collections, second.collections, strict=True):
        assert (one.get_facecolor() == other.get_facecolor()).all()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES)


def test_sixty_four_classes_can_be_told_apart():
    marks = {(class_style(place)["color"], class_style(place)["marker"]) for place in range(64)}
    assert len(marks) == 64
    assert len({class_style(place)["color"] for place in range(8)}) == len(POINT_COLOURS) == len(MARKERS) == 8


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match=r"panel 'visual' has points of shape \(5, 2\), but there are 6 labels"):
        scatter_figure([ScatterPanel("visual", "", POINTS[1:])], LABELS, NAMES)
    for panels, labels, names in (([], LABELS, NAMES), ([ScatterPanel("visual", "", POINTS)], LABELS, NAMES[:2])):
        with pytest.raises(ValueError, match=r"6 labels and \d classes: give a panel at least"):
            scatter_figure(panels, labels, names)
