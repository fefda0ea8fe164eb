"""Spectrograms as pictures: bands, time and loudness stand where they should, and Kaldi's numbers come out."""

import math

import pytest
import torch

from crossmodal.audio.fbank import AVSBENCH, FbankPicture, kaldi_filters


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


def test_sizes_that_make_no_row_are_named():
    with pytest.raises(ValueError, match="FbankPicture: size=0 and rate=16000 must be positive"):
        FbankPicture(0)
