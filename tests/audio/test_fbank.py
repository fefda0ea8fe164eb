"""Spectrograms as pictures: bands, time and loudness stand where they should, and Kaldi's numbers come out."""

import math

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from crossmodal.audio.fbank import AVE, AVSBENCH, FbankPicture, kaldi_filters

FORMS = {"AVE": (1.0, 0.0052, AVE, 83), "AVSBench": (1.95, 0.01, AVSBENCH, 160)}


def tone(hertz, seconds=1, rate=16_000):
    return torch.sin(2 * math.pi * hertz * torch.arange(seconds * rate) / rate)[None]


@pytest.mark.parametrize("size", [64, 192])
def test_a_higher_tone_is_farther_right_and_a_louder_one_brighter(size):
    picture = FbankPicture(size)
    low, high = (picture(tone(hertz))[0] for hertz in (300, 3000))
    assert low.shape == (3, size, size)
    assert torch.equal(low[0], low[2])
    assert low[0, 1].argmax() < high[0, 1].argmax()
    louder = picture(2 * tone(300))[0, 0, 1]
    band = low[0, 1].argmax()
    apart = (louder - low[0, 1])[band].item()
    assert apart == pytest.approx(math.log(4) / (2 * AVSBENCH[1]), abs=1e-4)


def test_filters_rise_to_their_centre_and_fall():
    filters = kaldi_filters(16_000, 512, 40, device=torch.device("cpu"))
    assert filters.shape == (257, 40)
    assert ((filters >= 0) & (filters <= 1)).all()
    places = filters.argmax(0)
    assert (places.diff() >= 0).all()
    assert (filters[-1] == 0).all()


def test_equals_torchaudio():
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi")
    wave = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    picture = FbankPicture(192)
    sound = torch.cat([wave - wave.mean()] * 2, dim=1)[:, : round(1.95 * 16_000)]
    options = {"window_type": "hanning", "use_energy": False, "dither": 0.0, "htk_compat": True, "frame_shift": 10}
    theirs = kaldi.fbank(sound, sample_frequency=16_000, num_mel_bins=192, **options)[:192]
    mean, deviation = AVSBENCH
    torch.testing.assert_close(picture(wave)[0, 0], (theirs - mean) / (2 * deviation), rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")  # so are Kaldi's lowest of 192
@pytest.mark.parametrize("form", FORMS)
def test_equals_transformers(form):
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
