"""AVE's features of a video, as its authors extracted them: which frames, how resized, which seconds of sound."""

import av
import numpy as np
import pytest
import torch

from crossmodal.data import Preprocess
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
    with pytest.raises(ValueError, match="fewer than seconds=1000"):
        published_features(file, torch.nn.Identity(), torch.nn.Identity(), PREPROCESS, seconds=1000)


def test_resizing_is_bilinear_without_antialiasing():
    """The mean of the four pixels around each centre of a picture of half the size, at even sizes."""
    image = torch.randint(0, 256, (3, 8, 12), dtype=torch.uint8)
    corners = image.float().unfold(1, 2, 2).unfold(2, 2, 2).mean((3, 4))
    found = torch.nn.functional.interpolate(image[None].float(), (4, 6), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(found, corners)
    square = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    assert torch.equal(resized(square, 8), square)
