"""Times of decoded frames."""

import gc
import os
import signal
import time
import warnings
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_forked_process_does_not_wait_for_the_threads_of_a_decoder_that_was_left_behind(tmp_path):
    """Readers of data are forked; the collector may run in them at any moment."""
    left = [decoded(film(tmp_path / "film.mp4", codecs=("libx264", "aac"), picture=TENTHS, sound=(0, 4)), "video")]
    next(left[0])
    left.append(left)
    gc.disable()
    del left
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a process with threads should rather not fork, as torch does all the same
        child = os.fork()
    if not child:
        gc.collect()
        os._exit(0)
    gc.enable()
    ended, code = 0, None
    for _ in range(200):
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert (ended, code) == (child, 0)
