"""Points by class: the same colour and mark in every panel, and no two classes share both."""

import pytest
import torch

from crossmodal.drawing import Cloud, clouds
from crossmodal.drawing.clouds import INKS, MARKS, _mark

POINTS, LABELS = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 2])
NAMES = ("bell", "dog", "train")


def test_every_point_lies_in_its_panel_under_its_class():
    figure = clouds([Cloud("visual", "80 %", POINTS), Cloud("audio", "20 %", -POINTS)], LABELS, NAMES, caption="a\nb")
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
    marks = {(_mark(place)["color"], _mark(place)["marker"]) for place in range(64)}
    assert len(marks) == 64
    assert len({_mark(place)["color"] for place in range(8)}) == len(INKS) == len(MARKS) == 8


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match=r"panel 'visual' has points of shape \(5, 2\), but there are 6 labels"):
        clouds([Cloud("visual", "", POINTS[1:])], LABELS, NAMES)
    for panels, labels, names in (([], LABELS, NAMES), ([Cloud("visual", "", POINTS)], LABELS, NAMES[:2])):
        with pytest.raises(ValueError, match=r"6 labels and \d classes: give a panel at least"):
            clouds(panels, labels, names)
