import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from crossmodal.encoders.spectrogram import SpectrogramStem


def stem(side=16, mels=8, **changed):
    """A small stem whose BatchNorm does nothing in evaluation (but for its epsilon)."""
    return SpectrogramStem(side, mels, 6, **{"augment": nn.Identity} | changed).eval()


def picture(block, log_mel):
    """The folded spectrogram: what the patch embedding is given."""
    seen = []
    handle = block.patches.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(log_mel)
    handle.remove()
    return seen[0]


@settings(max_examples=10)
@given(st.integers(1, 3), st.integers(1, 2), st.integers(0, 99))
def test_chunks_of_time_are_stacked_along_frequency(chunks, tokens, seed):
    torch.manual_seed(seed)
    mels = 4 * tokens
    side = chunks * mels
    block = stem(side, mels).double()
    log_mel = torch.randn(2, block.length, mels, dtype=torch.float64)
    folded, normal = picture(block, log_mel), log_mel / (1 + block.norm.eps) ** 0.5
    for time in range(block.length):
        chunk, column = divmod(time, side)
        rows = slice(chunk * mels, (chunk + 1) * mels)
        torch.testing.assert_close(folded[:, 0, rows, column], normal[:, time])


def test_the_published_one_folds_1024_frames_of_64_bands():
    block = SpectrogramStem(256, 64, 96)
    assert (block.length, block.chunks, block.grid) == (1024, 4, (64, 64))


def test_batch_norm_is_over_the_mel_bins():
    torch.manual_seed(0)
    block, oracle = stem().train(), nn.BatchNorm2d(8)
    log_mel = torch.randn(3, 32, 8) * torch.arange(1.0, 9) - 40
    expected = oracle(log_mel.permute(0, 2, 1)[..., None])
    folded = picture(block, log_mel)[:, 0]
    torch.testing.assert_close(folded[:, :8], expected[:, :, :16, 0])
    torch.testing.assert_close(block.norm.running_mean, oracle.running_mean)
    torch.testing.assert_close(block.norm.running_var, oracle.running_var)


@pytest.mark.parametrize("time", [1, 2, 5, 8])
def test_a_shorter_log_mel_is_stretched_bicubically(time):
    block, log_mel = stem(8, 8), torch.randn(2, time, 8)
    normal = log_mel / (1 + block.norm.eps) ** 0.5
    expected = F.interpolate(normal[:, None], (8, 8), mode="bicubic", align_corners=True)[:, 0]
    torch.testing.assert_close(picture(block, log_mel)[:, 0], expected.transpose(1, 2), atol=1e-5, rtol=0)


def test_of_a_longer_one_training_cuts_a_stretch_for_each_frame_anew():
    torch.manual_seed(0)
    block = stem(8, 8).train()
    log_mel = torch.arange(40.0)[None, :, None].expand(60, 40, 8)
    steps = picture(block, log_mel)[:, 0, 0].diff(dim=1)
    torch.testing.assert_close(steps, steps[:1, :1].expand_as(steps))
    starts = picture(block, log_mel)[:, 0, 0, 0].unique()
    assert 20 < len(starts) <= 33


@pytest.mark.parametrize(("time", "first"), [(9, 0), (10, 1), (12, 2)])
def test_evaluation_cuts_the_middle(time, first):
    log_mel = torch.arange(float(time))[None, :, None].expand(1, time, 8)
    kept = picture(stem(8, 8), log_mel)[0, 0, 0]
    torch.testing.assert_close(kept, torch.arange(first, first + 8.0), atol=1e-3, rtol=0)


def test_augmentation_sees_the_normalised_log_mel_in_training_only():
    torch.manual_seed(0)
    block = SpectrogramStem(16, 8, 6)
    log_mel = torch.randn(4, 32, 8) - 50
    assert (picture(block.train(), log_mel) == 0).any()
    assert not (picture(block.eval(), log_mel) == 0).any()


def test_other_mels_are_refused():
    with pytest.raises(ValueError, match=r"SpectrogramStem: log_mel has width 9.* built for width 8"):
        stem()(torch.zeros(1, 32, 9))
    with pytest.raises(ValueError, match="SpectrogramStem: mels=6 must divide the side=16"):
        stem(16, 6)
    assert "mels=8, chunks=2, length=32" in repr(stem())
