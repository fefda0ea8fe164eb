"""The small folder of videos."""

import pytest
import torch

from crossmodal.data import Folder, Preprocess
from crossmodal.testing.video_folder import write_videos

PLAIN = Preprocess(size=8, rate=8_000, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def test_seconds_of_an_event_look_and_sound_like_its_class(tmp_path):
    table = write_videos(tmp_path / "own", files=3, classes=("blue", "red"))
    data = Folder(tmp_path / "own/videos", table, None, PLAIN, segments=3)
    assert (data.classes, data.videos) == (("blue", "red"), ["clip00.mp4", "clip01.mp4", "clip02.mp4"])
    for clip, label in zip(data, (0, 1, 0), strict=True):
        assert clip.labels.tolist() == [2, label, label]
        assert clip.frames.mean((2, 3)).argmax(1).tolist()[1:] == [2 - 2 * label] * 2
        assert clip.frames[0].std() < 0.05
        assert (clip.wave.abs().mean(1) > 0.2).tolist() == [False, True, True]
        assert tone(clip.wave[1]) == pytest.approx(1200 if label == 0 else 300, abs=2)


def tone(wave):
    """In hertz."""
    spectrum = torch.fft.rfft(wave).abs()
    return int(spectrum.argmax()) * PLAIN.rate / len(wave)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the class 'pink' is none of red, green, blue"):
        write_videos(tmp_path / "own", classes=("pink",))
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"write_videos: root=.* is not empty: give a new folder"):
        write_videos(tmp_path)
