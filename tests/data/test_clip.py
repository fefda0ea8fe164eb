"""Preprocess and windows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import normalize, resize

from crossmodal.data import Clip, LabelledClip, Preprocess, windows

sizes = st.integers(1, 12)


def images(segments, height, width):
    return torch.randint(256, (segments, 3, height, width), dtype=torch.uint8)


@given(segments=sizes, height=sizes, width=sizes, size=sizes, seed=st.integers(0, 99))
def test_frames_are_what_torchvision_makes_of_float_tensors(segments, height, width, size, seed):
    torch.manual_seed(seed)
    pictures = images(segments, height, width)
    frames = Preprocess(size=size, rate=4)(pictures, torch.zeros(segments, 4)).frames
    resized = resize(pictures.float() / 255, [size, size], InterpolationMode.BICUBIC, antialias=False)
    torch.testing.assert_close(frames, normalize(resized, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def test_the_wave_is_left_as_it_is():
    wave = torch.randn(2, 5)
    assert Preprocess(size=4, rate=5)(images(2, 4, 4), wave).wave is wave


def test_float_images_are_refused():
    with pytest.raises(TypeCheckError, match=r"images[\s\S]*UInt8"):
        Preprocess(size=4, rate=5)(torch.rand(2, 3, 4, 4), torch.zeros(2, 5))


def test_another_number_of_segments_is_refused():
    with pytest.raises(TypeCheckError, match="wave"):
        Preprocess(size=4, rate=5)(images(2, 4, 4), torch.zeros(3, 5))


def test_a_wave_of_another_rate_names_both():
    with pytest.raises(ValueError, match=r"Preprocess: wave has 6 samples a segment, expected rate=5: resample it"):
        Preprocess(size=4, rate=5)(images(2, 4, 4), torch.zeros(2, 6))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, r"size=0 must be at least 1"),
        ({"rate": -1}, r"rate=-1 must be at least 1"),
        ({"std": (1.0, 0.0, 1.0)}, r"std=\(1\.0, 0\.0, 1\.0\) must hold one number .* only positive"),
        ({"mean": (0.5,)}, r"mean=\(0\.5,\) .* must hold one number for each of the three"),
    ],
)
def test_impossible_numbers_are_named(wrong, message):
    with pytest.raises(ValueError, match=f"Preprocess: .*{message}"):
        Preprocess(**wrong)


@given(segments=st.integers(0, 23), length=st.integers(1, 12))
def test_windows_hold_every_segment_once_in_order(segments, length):
    clip = LabelledClip(images(segments, 1, 1).float(), torch.randn(segments, 3), torch.arange(segments))
    parts = list(windows(clip, length))
    assert all(isinstance(part, LabelledClip) for part in parts)
    assert all(len(part.labels) == length for part in parts[:-1])
    if parts:
        assert len(parts[-1].labels) == (segments - 1) % length + 1
        for whole, *cut in zip(clip, *parts, strict=True):
            torch.testing.assert_close(torch.cat(cut), whole)


def test_windows_of_no_segment_are_refused_at_once():
    with pytest.raises(ValueError, match=r"windows: segments=0 must be at least 1"):
        windows(Clip(torch.zeros(2, 3, 1, 1), torch.zeros(2, 4)), 0)
