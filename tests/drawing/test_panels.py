"""Rows below each other: every value in its place, every row in its own colours, outlines around the mask."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from crossmodal.drawing import PanelRow, panel_figure
from crossmodal.site import Site, folded_axes, grid_axes

PICTURE, SOUND = Site("picture", 3, grid_axes(2, 2)), Site("sound", 3, folded_axes(4, 2, chunks=2))
FRAMES = torch.zeros(3, 3, 20, 20)
LOG_MEL = torch.linspace(-80, 0, 3 * 8 * 4).view(3, 8, 4)


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(int)


def row(figure, at, panel, count=3):
    """The pixels of one panel of one row, without its border."""
    seen, box = pixels(figure), figure.axes[at].get_position()
    height, width = seen.shape[:2]
    unit = width / (count + 0.04 * (count - 1))
    left = panel * 1.04 * unit
    return seen[
        round((1 - box.y1) * height) + 2 : round((1 - box.y0) * height) - 2, round(left) + 2 : round(left + unit) - 2
    ]


def drawn(**options):
    change = torch.zeros(3, 4, 1)
    change[1, 3] = 0.02  # the last token of the second frame: bright in its own scale, however small it is
    heard = torch.zeros(3, 8, 1)
    heard[2, 4] = 1  # in memory row 2: band 0 of the second chunk, its first column
    rows = [PanelRow("seen", None, PICTURE), PanelRow("change", change, PICTURE), PanelRow("heard", heard, SOUND)]
    return panel_figure(rows, frames=FRAMES, log_mel=LOG_MEL, **options)


def test_a_value_is_bright_in_its_own_row_at_its_place():
    figure = drawn()
    marked = row(figure, 1, 1).sum(2)
    half = marked.shape[0] // 2
    assert marked[half + 3 : -3, half + 3 : -3].min() > 1.2 * marked[: half - 3].max()
    assert marked[half + 3 :, : half - 3].max() == marked[: half - 3, : half - 3].max()
    sound = row(figure, 2, 2).sum(2)
    assert np.unravel_index(sound.argmax(), sound.shape)[0] >= sound.shape[0] // 2  # low bands at the foot
    assert sound.shape[1] // 2 <= sound.sum(0).argmax() < 0.76 * sound.shape[1]  # the third of four times


def test_words_stand_above_rows_with_the_ends_of_their_scales():
    figure = drawn(titles=["0 s", "1 s", "2 s"], scores={"guided": torch.tensor([0.1, 0.2, 1.0])})
    said = [text.get_text() for text in figure.texts]
    assert said == ["0 s", "1 s", "2 s", "seen", "change: 0.000 … 0.020", "heard: 0.000 … 1.000"]
    bars = figure.axes[-1]
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([0.1, 0.2, 1.0])
    assert [text.get_text() for text in bars.texts] == ["0.10", "0.20", "1.00"]
    assert [text.get_text() for text in bars.get_legend().get_texts()] == ["guided"]


def test_the_outline_runs_around_the_mask_and_where_there_is_none_nothing_is_drawn():
    mask = torch.zeros(3, 10, 10, dtype=torch.bool)
    mask[0, 2:8, 2:8] = True
    with_it = drawn(outlines=mask)
    white = (row(with_it, 0, 0).min(2) > 200).nonzero()
    size = row(with_it, 0, 0).shape[0]
    assert 0.15 * size < white[0].min() < 0.25 * size
    assert 0.75 * size < white[1].max() < 0.85 * size
    assert np.array_equal(row(with_it, 0, 1), row(drawn(), 0, 1))
    assert np.array_equal(row(with_it, 2, 0), row(drawn(), 2, 0))  # sound has no outline


def test_what_does_not_fit_is_refused_in_words():
    values = torch.zeros(3, 4, 1)
    with pytest.raises(ValueError, match=r"'heard' belongs to sound \(site 'sound'\): give its log_mel"):
        panel_figure([PanelRow("heard", torch.zeros(3, 8, 1), SOUND)], frames=FRAMES)
    with pytest.raises(ValueError, match="panel_figure: 0 rows and 0 titles were given for 3 frames"):
        panel_figure([], frames=FRAMES)
    with pytest.raises(ValueError, match="panel_figure: 1 rows and 2 titles were given for 3 frames"):
        panel_figure([PanelRow("change", values, PICTURE)], frames=FRAMES, titles=["0 s", "1 s"])
    with pytest.raises(ValueError, match="panel_figure: values has 2 frames, but there are 3"):
        panel_figure([PanelRow("change", values[:2], PICTURE)], frames=FRAMES)
    with pytest.raises(ValueError, match="panel_figure: frames has shape"):
        panel_figure([PanelRow("change", values, PICTURE)], frames=FRAMES[0])
