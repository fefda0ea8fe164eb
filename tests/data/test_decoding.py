"""Times of decoded frames."""

from fractions import Fraction
from itertools import pairwise

import pytest
from films import film

from crossmodal.data.decoding import decoded, promised_end

TENTHS = [Fraction(index, 10) for index in range(40)]


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize(
    ("name", "codecs"),
    [("film.mkv", ("ffv1", "pcm_s16le")), ("film.mp4", ("libx264", "aac")), ("film.webm", ("libvpx", "libopus"))],
)
def test_frames_follow_on_without_a_hole(tmp_path, kind, name, codecs):
    file = film(tmp_path / name, codecs=codecs, rate=48_000, picture=TENTHS, sound=(0, 4))
    frames = list(decoded(file, kind))
    assert abs(float(frames[-1].end - frames[0].start) - 4) < 0.05
    for before, after in pairwise(frames):
        assert abs(before.end - after.start) < 0.01


def test_frames_of_an_avi_with_reordered_frames_keep_their_order(tmp_path):
    file = film(tmp_path / "film.avi", codecs=("libx264", "pcm_s16le"), picture=TENTHS, sound=(0, 4))
    starts = [frame.start for frame in decoded(file, "video")]
    assert starts == sorted(starts)
    assert max(abs(start - wanted) for start, wanted in zip(starts, TENTHS, strict=True)) <= Fraction(3, 10)


def test_the_header_promises_the_later_end(tmp_path):
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=TENTHS, sound=(0, 2.5))
    assert abs(float(promised_end(file)) - 4) < 0.05
