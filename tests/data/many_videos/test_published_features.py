"""AVE's features of a video, as its authors extracted them: which frames, how resized, which seconds of sound."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from films import film, heard, tone

from crossmodal.data import Clip, Preprocess
from crossmodal.data.many_videos.published_features import frame_rows, published_features, resized

PREPROCESS = Preprocess(8, 16_000, (0.5, 0.4, 0.3), (1 / 255,) * 3)


def test_frames_of_a_second():
    rows = frame_rows(299)
    assert rows[0] == [0, 1, 3, 5, 7, 9, 10, 12, 14, 16, 18, 19, 21, 23, 25, 27]
    assert rows[9][0] == 9 * 29
    assert rows[9][-1] == int(9 * 29 + 15 / 16 * 29)


def test_features_are_means_over_the_frames_of_each_second(clip):
    file = clip(2.0)
    with av.open(str(file)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    step = len(frames) // 2
    expected = []
    for second in range(2):
        picked = [frames[int(second * step + at / 16 * step)] for at in range(16)]
        small = [resized(torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1), 8) for one in picked]
        expected.append(torch.stack([PREPROCESS.image(one) for one in small]).mean(0).flatten(1).T)
    heard = []
    found = published_features(
        file,
        lambda images: images.flatten(2).mT,
        lambda wave: heard.append(wave) or wave[:, :3],
        PREPROCESS,
        seconds=2,
    )
    torch.testing.assert_close(found.visual, torch.stack(expected), rtol=1e-5, atol=1e-3)
    assert found.audio.shape == (2, 3)
    assert heard[0].shape == (2, 16_000)
    with pytest.raises(ValueError, match=r"has 20 pictures from 0\.00 to 2\.00 s, expected .* from 0 to seconds=1000"):
        published_features(file, torch.nn.Identity(), torch.nn.Identity(), PREPROCESS, seconds=1000)


COLOURS = Preprocess(16, 16_000, (0,) * 3, (1,) * 3)


def told(file, seconds):
    """The colour of every second's pictures and the tone of its sound."""
    found = published_features(
        file, lambda frames: frames.mean((2, 3))[:, None], lambda wave: wave, COLOURS, seconds=seconds
    )
    return found.visual[:, 0].round().int().tolist(), heard(Clip(found.visual, found.audio))


@pytest.mark.parametrize("length", [2.0, 2.4, 5.0])
def test_of_a_longer_film_the_first_seconds_are_taken_of_both(clip, length):
    whole, _ = told(clip(5.0), 5)
    colours, tones = told(clip(length), 2)
    assert tones == [tone(0), tone(1)]
    if length != 2.4:  # the published rows of a film that is a little longer are a little longer, too
        assert colours == whole[:2]


def test_a_film_that_is_too_short_or_cut_or_begins_without_a_picture_is_refused(clip, tmp_path):
    with pytest.raises(
        ValueError, match=r"has 20 pictures from 0\.00 to 2\.00 s, expected one a second or more from 0"
    ):
        told(clip(2.0), 3)
    late = tuple(1 + Fraction(index, 10) for index in range(10))
    with pytest.raises(ValueError, match=r"has 10 pictures from 1\.00 to 2\.00 s"):
        told(film(tmp_path / "late.mkv", picture=late, sound=(0, 2), codecs=("mpeg4", "flac")), 2)


def test_a_sound_that_begins_late_is_silent_until_then(tmp_path):
    pictures = tuple(Fraction(index, 10) for index in range(30))
    late = film(tmp_path / "late.mkv", picture=pictures, sound=(1, 3), codecs=("mpeg4", "flac"))
    assert told(late, 3)[1] == [0, tone(1), tone(2)]


def test_resizing_is_bilinear_without_antialiasing():
    """The mean of the four pixels around each centre of a picture of half the size, at even sizes."""
    image = torch.randint(0, 256, (3, 8, 12), dtype=torch.uint8)
    corners = image.float().unfold(1, 2, 2).unfold(2, 2, 2).mean((3, 4))
    found = torch.nn.functional.interpolate(image[None].float(), (4, 6), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(found, corners)
    square = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    assert torch.equal(resized(square, 8), square)
