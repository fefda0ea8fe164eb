"""Pictures of filter banks equal Kaldi's, as transformers computes them."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from crossmodal.audio.fbank import AVE, AVSBENCH, FbankPicture

FORMS = {"AVE": (1.0, 0.0052, AVE, 83), "AVSBench": (1.95, 0.01, AVSBENCH, 160)}


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # so are Kaldi's lowest of 192
@pytest.mark.parametrize("form", FORMS)
def test_kaldi(form):
    seconds, shift, statistics, hop = FORMS[form]
    torch.manual_seed(0)
    wave = torch.randn(2, 16_000).cumsum(1) / 100 + torch.tensor([[0.0], [0.5]])
    filters = mel_filter_bank(257, 192, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    found = FbankPicture(seconds=seconds, shift=shift, statistics=statistics)(wave.double())
    for ours, one in zip(found, wave.double().numpy(), strict=True):
        banks = spectrogram(
            np.tile(one - one.mean(), 2)[: round(seconds * 16_000)],
            window_function(400, "hann", periodic=False),
            frame_length=400,
            hop_length=hop,
            fft_length=512,
            power=2.0,
            center=False,
            preemphasis=0.97,
            mel_filters=filters,
            log_mel="log",
            mel_floor=1.192092955078125e-07,
            remove_dc_offset=True,
        ).T
        rows = np.zeros((192, 192))
        rows[: len(banks)] = banks[:192]
        expected = torch.from_numpy((rows - statistics[0]) / (2 * statistics[1]))
        # transformers works in float64 but rounds spectra to complex64
        torch.testing.assert_close(ours[0], expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(ours[0], ours[1])
        assert torch.equal(ours[0], ours[2])


def test_a_smaller_picture_shows_as_much():
    """Its rows are farther apart and longer, so that it ends where the published one does."""
    small, large = FbankPicture(32, seconds=1.0, shift=0.0052), FbankPicture(seconds=1.0, shift=0.0052)
    assert small.hop * 32 == pytest.approx(large.hop * 192, rel=0.01)
    assert small.window == 6 * large.window


def test_settings_without_a_row_are_refused():
    with pytest.raises(ValueError, match=r"size=0, rate=16000, shift=0\.01 and seconds=1\.95 must be positive"):
        FbankPicture(0)
    with pytest.raises(ValueError, match=r"here 32 samples of 400"):
        FbankPicture(seconds=0.002)
