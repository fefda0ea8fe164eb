"""Every display matrix that turns or mirrors is applied; none is reduced to an angle."""

import gc
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from films import PLAIN, film
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data import read_clip
from crossmodal.data.film_windows import film_windows
from crossmodal.data.folder.decode import read_spans
from crossmodal.data.folder.windowing import Span
from crossmodal.data.many_videos.ave_media import ClipFormat, decode_clip
from crossmodal.data.many_videos.published_features import published_features
from crossmodal.data.orientation import TURNS, display_matrix, quarter_turn, tilt, turned, upright

CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))


@given(st.sampled_from(range(8)), st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 4), st.floats(-0.3, 0.3))
def test_a_pixel_goes_where_the_matrix_sends_it(which, rows, columns, scale, noise):
    turn = TURNS[which]
    pixels = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    matrix = scale * turn.astype(float) + noise * scale
    found = turned(pixels, quarter_turn(matrix))
    places = {pixels[y, x]: np.array([x, y]) @ turn for y in range(rows) for x in range(columns)}
    origin = np.min(list(places.values()), axis=0)
    for value, place in places.items():
        x, y = place - origin
        assert found[y, x] == value


def matrix_of(*numbers):
    content = np.array(numbers, np.int32).tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("av.sidedata.sidedata.SideDataContainer", lambda _: SimpleNamespace(get=lambda _: content))
        return display_matrix(None)


def test_a_matrix_of_zeros_leaves_the_picture():
    assert (quarter_turn(matrix_of(*[0] * 9)) == np.eye(2)).all()


@pytest.mark.parametrize(("degrees", "off"), [(0, 0), (90.4, 0), (10, 10), (200, 20)])
def test_a_turn_between_quarters_is_told(degrees, off):
    angle = np.radians(degrees)
    rows = 65536 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert tilt(matrix_of(*rows[0], 0, *rows[1], 0, 0, 0, 1 << 30)) == pytest.approx(off, abs=0.01)


def quadrants(_):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32], pixels[24:, 32:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 255
    return pixels


def with_matrix(source, target, turn):
    """Writes the display matrix into the header of the picture's track."""
    content, at = bytearray(source.read_bytes()), -1
    while (at := content.find(b"tkhd", at + 1)) >= 0:
        start = at + 8 + (32 if content[at + 4] else 20) + 16
        if struct.unpack(">I", content[start + 36 : start + 40])[0]:
            (a, b), (c, d) = (turn * 65536).tolist()
            content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(content)


def test_films_of_all_eight_matrices_are_seen_upright(tmp_path):
    pictures = [Fraction(step, 5) for step in range(6)]
    plain = film(tmp_path / "plain.mp4", pixels=quadrants, picture=pictures, sound=(0, 1.2))
    stored = {(0, 0): (1, 0, 0), (1, 0): (0, 1, 0), (0, 1): (0, 0, 1), (1, 1): (1, 1, 1)}
    for turn in TURNS:
        with_matrix(plain, tmp_path / "it.mp4", turn)
        frame = read_clip(tmp_path / "it.mp4", PLAIN).frames[0]
        shown = np.array(CORNERS) @ turn
        for corner, (x, y) in zip(CORNERS, (shown - shown.min(0)).tolist(), strict=True):
            assert tuple(frame[:, 4 + 8 * y, 4 + 8 * x].round().int().tolist()) == stored[corner], turn


FORMATS = ["rgba", "argb", "bgra", "yuva420p", "yuva444p12le", "rgba64le", "ya8", "pal8"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_transparent_shows_no_colour(name):
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[..., 3] = 255
    opaque = av.VideoFrame.from_ndarray(pixels, format="rgba")
    pixels[:, 2:4, 3], pixels[:, 4:, 3] = 128, 0
    clear = av.VideoFrame.from_ndarray(pixels, format="rgba")
    if name == "pal8":
        opaque, clear = (palette_frame(alphas) for alphas in ([255] * 3, [255, 128, 0]))
    else:
        opaque, clear = (frame.reformat(format=name) for frame in (opaque, clear))
    assert np.array_equal(upright(opaque, Path("it.mov")).permute(1, 2, 0), opaque.to_ndarray(format="rgb24"))
    shown = upright(clear, Path("it.mov")).float()
    assert abs(shown[:, :, :2] - 200).max() <= 2
    assert abs(shown[:, :, 2:4] - 100).max() <= 2
    assert not shown[:, :, 4:].any()


def palette_frame(alphas):
    """A grey picture whose columns have three entries of a palette."""
    palette = np.full((256, 4), 200, np.uint8)
    palette[:3, 0] = alphas  # alpha, red, green, blue
    indices = np.tile(np.uint8([0, 0, 1, 1, 2, 2, 2, 2]), (8, 1))
    return av.VideoFrame.from_ndarray((indices, palette), format="pal8")


@pytest.mark.parametrize(("space", "name"), [(8, "YCgCo"), (10, "BT.2020 of"), (14, "ICtCp"), (15, "IPT"), (99, "unk")])
def test_a_picture_that_cannot_be_converted_is_named_with_its_colour_space(space, name):
    frame = av.VideoFrame(8, 8, "yuv420p")
    assert upright(frame, Path("it.mkv")).shape == (3, 8, 8)
    frame.colorspace = space
    said = rf"read_clip: a picture of it\.mkv cannot be converted to RGB .*yuv420p in the colour space {space} \({name}"
    with pytest.raises(ValueError, match=said):
        upright(frame, Path("it.mkv"))


def test_a_film_of_such_a_colour_space_is_named_by_every_reader(tmp_path):
    pictures = [Fraction(step, 5) for step in range(11)]
    file = film(tmp_path / "it.mkv", codecs=("libx264", "aac"), picture=pictures, sound=(0, 2), space=8)
    for read in (
        lambda: read_clip(file, PLAIN),
        lambda: next(film_windows(file, PLAIN)),
        lambda: read_spans(file, [Span(0, 1)], PLAIN),
        lambda: published_features(file, None, None, PLAIN),
        lambda: decode_clip(file, ClipFormat(pad=True)),
    ):
        with pytest.raises(ValueError, match=r"a picture of .*it\.mkv cannot .* colour space 8 \(YCgCo\)"):
            read()


def test_a_picture_is_freed_with_its_last_reference(tmp_path):
    file = film(tmp_path / "it.mp4", picture=[Fraction(step, 5) for step in range(6)], sound=(0, 1.2))
    gc.collect()
    gc.disable()
    try:
        read_clip(file, PLAIN)
        assert not [found for found in gc.get_objects() if str(type(found)) == "<class 'av.video.frame.VideoFrame'>"]
    finally:
        gc.enable()
