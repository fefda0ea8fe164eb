"""Figures, looked at: a synthetic map that marks one cell is found where that cell lies, in pixels."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from crossmodal.data import Preprocess
from crossmodal.drawing import (
    PanelRow,
    coupler_heatmap,
    label_strips,
    over_channels,
    over_frames,
    over_spectrogram,
    over_time,
    panel_figure,
    pictures,
)
from crossmodal.drawing.canvas import GAP
from crossmodal.site import Site, folded_axes, grid_axes

PICTURE, SOUND = Site("picture", 3, grid_axes(3, 4)), Site("sound", 3, folded_axes(6, 4, chunks=2))
BRIGHT = 600
"""Sum of RGB above which only the greatest value of the colours lies."""


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(int)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def colour(figure):
    """Spread of the colours of a picture: none where all is grey."""
    seen = pixels(figure)
    return (seen.max(2) - seen.min(2)).mean()


@pytest.mark.parametrize("limits", [None, (0.0, 1.0)])
@pytest.mark.parametrize(("span", "flat"), [(0.0, True), (0.009, True), (0.02, False), (0.5, False)])
def test_a_map_that_hardly_varies_is_faint_and_called_flat(span, flat, limits):
    """Its minimum and maximum take the whole scale of colours: it would look as one that varies."""
    ramp = torch.linspace(0, 1, 24).view(2, 12, 1)
    drawn, varied = (
        over_frames(torch.zeros(2, 3, 30, 40), 0.4 + by * ramp, PICTURE, limits=limits) for by in (span, 0.6)
    )
    assert any(f"flat, spans {span:.4f}" in text for text in texts(drawn)) == flat
    assert (colour(drawn) < 0.6 * colour(varied)) == flat


def test_flat_maps_are_told_in_every_drawing():
    level = torch.full((2, 12, 1), 0.5)
    sound = over_spectrogram(torch.zeros(2, 16, 6), torch.full((2, 24, 1), 0.5), SOUND)
    channels = over_channels(level.transpose(1, 2))
    depth = coupler_heatmap({"a": {("audio", "visual"): {"spatial": level}}})
    panels = panel_figure(
        [PanelRow("map", level, PICTURE), PanelRow("change", level, PICTURE, 0.0)], frames=torch.zeros(2, 3, 30, 40)
    )
    for figure in (sound, channels, depth, panels):
        assert sum("flat, spans 0.0000" in text for text in texts(figure)) == 1


@settings(max_examples=8)
@given(st.integers(1, 10), st.text("Wm il", min_size=1, max_size=30), st.booleans())
def test_the_numbers_of_a_strip_stay_within_their_cells(count, name, wrong):
    rows = {"predicted": [0] * count}
    figure = label_strips(rows, [name], scores={"predicted": [0.88] * count}, wrong={"predicted": [wrong] * count})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    numbers = [text for text in figure.axes[0].texts if text.get_text().endswith("0.88")]
    assert len(numbers) == count
    whole = figure.bbox
    for text in numbers:
        assert text.get_text().splitlines()[-1] == "0.88"
        box = text.get_window_extent(canvas.get_renderer())
        middle = (box.x0 + box.x1) / 2
        # the number is centred: its own width counts, not that of the name above it
        width = 4 * text.get_fontsize() * figure.dpi / 72
        assert whole.x0 <= middle - width / 2
        assert middle + width / 2 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1


def marked(figure, count, panel):
    """Where a panel is bright: left, right, top, bottom, as shares of the panel."""
    seen = pixels(figure)
    box = figure.axes[0].get_position()
    height, width = seen.shape[:2]
    top, foot = (1 - box.y1) * height, (1 - box.y0) * height
    unit = width / (count + GAP * (count - 1))
    left = panel * (1 + GAP) * unit
    cut = seen[int(top) + 1 : int(foot) - 1, int(left) + 1 : int(left + unit) - 1]  # no border
    rows, columns = np.nonzero(cut.sum(2) > BRIGHT)
    size = np.array([cut.shape[1], cut.shape[1], cut.shape[0], cut.shape[0]])
    return np.array([columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]) / size


@settings(max_examples=12)
@given(st.integers(0, 11), st.integers(0, 2))
def test_one_token_of_a_picture_is_bright_where_it_lies(token, frame):
    values = torch.zeros(3, 12, 1)
    values[frame, token] = 1
    figure = over_frames(torch.zeros(3, 3, 30, 40), values, PICTURE, opacity=1.0)
    row, column = divmod(token, 4)
    expected = [column / 4, (column + 1) / 4, row / 3, (row + 1) / 3]
    np.testing.assert_allclose(marked(figure, 3, frame), expected, atol=0.04)


@settings(max_examples=12)
@given(st.integers(0, 23), st.integers(0, 1))
def test_one_token_of_a_folded_spectrogram_is_bright_at_its_band_and_time(token, frame):
    values = torch.zeros(2, 24, 1)
    values[frame, token] = 1
    figure = over_spectrogram(torch.zeros(2, 16, 6), values, SOUND, opacity=1.0)
    row, column = divmod(token, 4)  # in memory: two chunks of time, three bands each, four columns
    band, time = row % 3, row // 3 * 4 + column
    expected = [time / 8, (time + 1) / 8, (2 - band) / 3, (3 - band) / 3]  # band 0 at the foot
    np.testing.assert_allclose(marked(figure, 2, frame), expected, atol=0.04)


def test_a_tone_lies_where_the_map_marks_it():
    """The spectrogram under the map: its brightest band is the one that the map's cell covers."""
    log_mel = torch.full((1, 16, 6), -100.0)
    log_mel[0, 8:10, 2:4] = 0.0  # the second band of three, the fifth time of eight
    alone = marked(over_spectrogram(log_mel), 1, 0)
    values = torch.zeros(1, 24, 1)
    values[0, 4 * 4] = 1  # row 4 in memory is band 1 of the second chunk; its first column is time 4
    np.testing.assert_allclose(marked(over_spectrogram(log_mel, values, SOUND, opacity=1.0), 1, 0), alone, atol=0.04)


def test_frames_stay_in_colour_without_a_map_and_are_grey_under_one():
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    plain = pixels(over_frames(red))
    assert plain[plain.shape[0] // 2, plain.shape[1] // 2].tolist() == [255, 0, 0]
    under = pixels(over_frames(red, torch.zeros(1, 12, 1), PICTURE, opacity=0.0))
    assert len(set(under[10, 10].tolist())) == 1


def test_bytes_and_fractions_are_the_same_picture():
    frames = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    assert np.array_equal(pixels(over_frames(frames)), pixels(over_frames(frames / 255)))


def test_pictures_undo_the_normalisation():
    preprocess = Preprocess(size=4, rate=16_000)
    image = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    normal = preprocess(image, torch.zeros(1, 16_000)).frames
    torch.testing.assert_close(pictures(normal, preprocess), image / 255)


def test_titles_and_limits_are_written():
    values = torch.linspace(0.4, 0.6, 12).view(1, 12, 1)
    figure = over_frames(torch.zeros(1, 3, 4, 4), values, PICTURE, limits=None, titles=["0 s"], label="spatial")
    said = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"0 s", "0.400", "0.600   spatial"} <= said


def test_bars_for_one_frame_and_rows_of_heat_for_several():
    values = torch.rand(3, 1, 5)
    (bars,) = over_channels(values[:1]).axes
    assert [bar.get_height() for bar in bars.patches] == values[0, 0].tolist()
    heat = over_channels(values).axes[0].images[0].get_array()
    torch.testing.assert_close(torch.tensor(heat.data), values[:, 0])


def test_a_line_a_clip_over_time():
    values = torch.rand(6, 1, 1)
    (axes,) = over_time(values, segments=3).axes
    lines = [torch.tensor(line.get_data().values, dtype=torch.float32) for line in axes.patches]
    torch.testing.assert_close(torch.stack(lines), values.view(2, 3))


def test_depth_and_time_hold_the_mean_of_every_map():
    sight, sound = ("audio", "visual"), ("visual", "audio")
    maps = {
        "first": {sight: {"spatial": torch.rand(2, 4, 1)}, sound: {"channel": torch.rand(2, 1, 3)}},
        "bare": {},
        "last": {sight: {"spatial": torch.rand(2, 1, 1)}},
    }
    figure = coupler_heatmap(maps)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert set(panels) == {"audio → visual: spatial", "visual → audio: channel"}
    heat = torch.tensor(np.ma.filled(panels["audio → visual: spatial"].images[0].get_array(), np.nan))
    expected = [maps[coupler][sight]["spatial"].mean((1, 2)) for coupler in ("first", "last")]
    torch.testing.assert_close(heat, torch.stack(expected))
    heat = np.ma.filled(panels["visual → audio: channel"].images[0].get_array(), np.nan)
    assert np.isnan(heat[1]).all()


def test_recorded_maps_are_drawn_over_depth_too():
    """By the names of modules: rows are couplers, panels edges; an `Injected` has one panel a map."""
    names = [
        f"coupled.couplers.{at}.{edge}.spatial" for at in ("one", "two") for edge in ("audio_visual", "visual_audio")
    ]
    maps = {name: torch.rand(2, 4, 1) for name in names}
    panels = {axes.get_title(): axes for axes in coupler_heatmap(maps).axes if axes.get_title()}
    assert set(panels) == {"audio_visual: spatial", "visual_audio: spatial"}
    assert [label.get_text() for label in panels["audio_visual: spatial"].get_yticklabels()] == ["one", "two"]
    heat = torch.tensor(np.ma.filled(panels["visual_audio: spatial"].images[0].get_array(), np.nan))
    torch.testing.assert_close(heat, torch.stack([maps[name].mean((1, 2)) for name in names[1::2]]))
    injected = {f"adapters.blocks_{at}.channel": torch.rand(2, 1, 3) for at in range(3)}
    (axes,) = (axes for axes in coupler_heatmap(injected).axes if axes.get_title())
    assert axes.get_title() == "channel"
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"blocks_{at}" for at in range(3)]
    assert [axes.get_title() for axes in coupler_heatmap({"channel": torch.rand(2, 1, 3)}).axes][:1] == ["channel"]


def wrong():
    frames, values, log_mel = torch.zeros(2, 3, 4, 4), torch.zeros(2, 12, 1), torch.zeros(2, 8, 6)
    yield lambda: over_frames(frames[0]), r"over_frames: frames has shape \(3, 4, 4\)"
    yield lambda: over_frames(frames - 2), r"undo the normalisation by pictures\(frames, preprocess\)"
    yield lambda: over_frames(frames, values), r"values needs its site: read_sites\(lockstep\)"
    yield lambda: over_frames(frames, values[:1], PICTURE), "values has 1 frames, but there are 2 to draw it over"
    yield lambda: over_frames(frames, values[:, :3], PICTURE), r"a map at site 'picture' is \(frame, 12, 1\)"
    yield lambda: over_frames(frames, values, SOUND), "site 'sound' has the axes frequency, time, expected row, column"
    yield lambda: over_spectrogram(log_mel, values, PICTURE), "has the axes row, column, expected frequency, time"
    yield lambda: over_spectrogram(log_mel[0]), r"log_mel has shape \(8, 6\), expected \(frame, time, mel\)"
    yield lambda: over_frames(frames, titles=["0 s"]), "1 titles were given for 2 frames"
    yield lambda: over_channels(values), r"over_channels: values has shape \(2, 12, 1\)"
    yield lambda: over_time(values), r"over_time: values has shape \(2, 12, 1\)"
    yield lambda: over_time(values[:, :1], segments=3), "2 frames, which are no clips of segments=3"
    yield lambda: coupler_heatmap({"bare": {}}), "none of the 1 couplers gave a map"
    edge = ("audio", "visual")
    yield (
        lambda: coupler_heatmap({"a": {edge: {"m": values}}, "b": {edge: {"m": values[:1]}}}),
        r"the maps have \[1, 2\] frames",
    )
    yield lambda: coupler_heatmap({"a": {edge: {"m": values, "n": values[:1]}}}), r"the maps have \[1, 2\] frames"


@pytest.mark.parametrize(("draw", "words"), list(wrong()), ids=lambda part: part if isinstance(part, str) else "")
def test_what_does_not_fit_is_refused_in_words(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"crossmodal.drawing needs .* pip install \"crossmodal-blocks\[recipes\]\""):
        over_time(torch.zeros(1, 1, 1))


def test_a_figure_belongs_to_no_window():
    figure = over_time(torch.zeros(2, 1, 1))
    assert isinstance(figure, Figure)
    assert figure.canvas.manager is None
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
