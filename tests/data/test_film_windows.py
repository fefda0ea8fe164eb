"""A film in windows is the film in one piece, and holds one window at a time."""

import gc
from fractions import Fraction

import pytest
import torch
from films import PLAIN, colour, film
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data import Preprocess, read_clip, windows
from crossmodal.data.film_windows import MovingPictures, film_windows

SMALL = Preprocess(size=16, rate=16_000)
TENTHS = st.integers(0, 12)


@settings(max_examples=6)
@given(TENTHS, TENTHS, st.integers(12, 55), st.integers(12, 55), st.integers(1, 4), st.sampled_from((8_000, 44_100)))
def test_windows_are_those_of_the_whole_clip(tmp_path_factory, picture, sound, pictured, sounding, segments, rate):
    file = tmp_path_factory.mktemp("film") / "it.mkv"
    times = [Fraction(picture + step, 10) for step in range(pictured)]
    start = Fraction(sound, 10)
    film(file, codecs=("ffv1", "flac"), picture=times, sound=(float(start), float(start + sounding / 10)), rate=rate)
    whole = list(windows(read_clip(file, SMALL), segments))
    found = list(film_windows(file, SMALL, segments))
    assert [len(window.wave) for window in found] == [len(window.wave) for window in whole]
    for window, expected in zip(found, whole, strict=True):
        assert window.frames.equal(expected.frames)
        torch.testing.assert_close(window.wave, expected.wave, rtol=0, atol=1e-4)


def tensors():
    """Returns all tensors of the process."""
    return [found for found in gc.get_objects() if type(found) is torch.Tensor]


def test_one_window_is_held_at_a_time(clip):
    gc.collect()
    others = tensors()  # of tests before; kept, so that their ids are not given again
    known, held = {id(other) for other in others}, []
    for window in film_windows(clip(11), Preprocess(size=64, rate=16_000), 2):
        del window
        held.append(sum(found.nbytes for found in tensors() if id(found) not in known))
    assert len(held) == 6
    assert max(held[2:]) <= held[1] + 3 * 64**2 * 4 * 4


@pytest.mark.parametrize("words", ["is cut", "shorter than one segment"])
def test_what_a_clip_refuses_windows_refuse(tmp_path, clip, words):
    file = tmp_path / "it.mp4"
    if words == "is cut":
        film(file.with_suffix(".mkv"), codecs=("ffv1", "flac"))
        content = file.with_suffix(".mkv").read_bytes()
        file.write_bytes(content[: len(content) * 2 // 3])
    else:
        film(file, picture=[Fraction(step, 10) for step in range(8)], sound=(0, 0.8))
    for read in (lambda: list(film_windows(file, SMALL)), lambda: read_clip(file, SMALL)):
        with pytest.raises(ValueError, match=words):
            read()


@pytest.mark.parametrize("each", [1, 4, 8])
def test_pictures_of_motion_are_those_on_screen_beside_the_same_frames(tmp_path, each):
    """Every second has its own colour; the second window is shorter."""
    times = tuple(Fraction(index, 32) for index in range(2 * 32 + 32 + 8))
    file = film(tmp_path / "film.mkv", picture=times, sound=(0, 3.2))
    plain = list(film_windows(file, PLAIN, 2))
    moving = MovingPictures(Preprocess(4, PLAIN.rate, mean=PLAIN.mean, std=PLAIN.std), each)
    found = list(film_windows(file, PLAIN, 2, moving=moving))
    assert [len(window.pictures) for window in found] == [2, 1]
    for one, other in zip(plain, found, strict=True):
        assert torch.equal(one.frames, other.frames)
        assert torch.equal(one.wave, other.wave)
    pictures = torch.cat([window.pictures for window in found])
    assert pictures.shape == (3, each, 3, 4, 4)
    colours = pictures.mean((3, 4)).round().int().tolist()
    assert colours == [[colour(second)] * each for second in range(3)]
    assert [float(moment) for moment in moving.moments] == [(2 * at + 1) / (2 * each) for at in range(each)]
