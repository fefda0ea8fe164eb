import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.audio import LogMel, tile
from crossmodal.audio.log_mel import hertz_to_mel, mel_filters, mel_to_hertz

RATE = 32_000
CPU = torch.device("cpu")


def seconds():
    return torch.arange(RATE, dtype=torch.float64) / RATE


def noise(level=0.1):
    return level * torch.randn(RATE, dtype=torch.float64)


def speech():
    """Glottal pulses through three formants, four syllables a second, over the hiss of a room."""
    phase = torch.cumsum(120 * (1 + 0.1 * (2 * math.pi * 3 * seconds()).sin()) / RATE, 0)
    spectrum, hertz = torch.fft.rfft((phase % 1 < 0.05).double()), torch.fft.rfftfreq(RATE, 1 / RATE).double()
    formants = ((600, 150, 1.0), (1200, 200, 0.5), (2500, 300, 0.25))
    voice = sum(level * (-(((hertz - centre) / width) ** 2)).exp() for centre, width, level in formants)
    syllables = (2 * math.pi * 4 * seconds()).sin().clamp(min=0)
    return 0.5 * torch.fft.irfft(spectrum * voice, RATE) * syllables + noise(1e-3)


def music():
    """Four plucked notes of eight harmonics each, over tape hiss."""
    wave = noise(1e-3)
    for hertz, onset in ((220.0, 0.0), (277.2, 0.25), (329.6, 0.5), (440.0, 0.75)):
        since = seconds() - onset
        for harmonic in range(1, 9):
            tone = (2 * math.pi * hertz * harmonic * seconds()).sin() / harmonic
            wave = wave + 0.1 * (since >= 0) * (-4 * since.clamp(min=0)).exp() * tone
    return wave


@pytest.mark.parametrize("signal", [noise, speech, music])
def test_it_is_torchlibrosa_within_a_thousandth_of_a_decibel(signal):
    library = pytest.importorskip("torchlibrosa.stft")
    torch.manual_seed(0)
    wave = tile(signal()[None].float(), 2 * RATE)
    spectrogram = library.Spectrogram(n_fft=1024, hop_length=320, win_length=1024, pad_mode="reflect")
    filters = library.LogmelFilterBank(
        sr=RATE, n_fft=1024, n_mels=64, fmin=50, fmax=14_000, ref=1.0, amin=1e-10, top_db=None
    )
    expected = filters(spectrogram(wave))[:, 0].detach()
    torch.testing.assert_close(LogMel()(wave), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("hertz", [100.0, 440.0, 1000.0, 1015.625, 12_000.0])
def test_of_a_pure_tone_both_keep_what_is_loud_and_round_what_is_not(hertz):
    """Half its cells lie a hundred decibels below the tone: what float32 holds of them are rounding errors, in both."""
    library = pytest.importorskip("torchlibrosa.stft")
    wave = tile((2 * math.pi * hertz * seconds()).sin()[None], 2 * RATE)
    filters = library.LogmelFilterBank(
        sr=RATE, n_fft=1024, n_mels=64, fmin=50, fmax=14_000, ref=1.0, amin=1e-10, top_db=None
    )
    spectrogram = library.Spectrogram(n_fft=1024, hop_length=320, win_length=1024, pad_mode="reflect")
    theirs, ours, exact = filters(spectrogram(wave.float()))[:, 0].detach(), LogMel()(wave.float()), LogMel()(wave)
    down = exact.amax() - exact
    for upto, decibel in ((60, 1e-3), (80, 5e-3), (100, 0.05), (torch.inf, 0.5)):
        assert (ours - theirs)[down < upto].abs().max() < decibel
        assert (ours - exact)[down < upto].abs().max() < decibel


@pytest.mark.parametrize(
    ("rate", "n_fft", "mels", "fmin", "fmax"), [(32_000, 1024, 64, 50, 14_000), (16_000, 512, 32, 0, 8_000)]
)
def test_its_filters_are_librosas(rate, n_fft, mels, fmin, fmax):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=mels, fmin=fmin, fmax=fmax, dtype="float64")
    ours = mel_filters(rate, n_fft, mels, fmin, fmax, device=CPU)
    torch.testing.assert_close(ours, torch.from_numpy(theirs).T, atol=1e-12, rtol=0)


@settings(max_examples=10)
@given(st.integers(17, 60), st.integers(3, 20), st.integers(0, 99))
def test_it_is_the_fourier_sum_over_reflected_windows(samples, hop, seed):
    torch.manual_seed(seed)
    wave = torch.randn(2, samples, dtype=torch.float64)
    block = LogMel(1000, n_fft=32, hop=hop, mels=3, fmin=20, fmax=500)
    step = torch.arange(32, dtype=torch.float64)
    hann = 0.5 - 0.5 * (2 * math.pi * step / 32).cos()
    filters, expected = mel_filters(1000, 32, 3, 20, 500, device=CPU), []
    for start in range(0, samples + 1, hop):
        # Sample -i is sample i, sample n - 1 + i is sample n - 1 - i.
        places = [abs(place) for place in range(start - 16, start + 16)]
        places = [place if place < samples else 2 * (samples - 1) - place for place in places]
        window = wave[:, places] * hann
        angle = 2 * math.pi * step[:, None] * torch.arange(17, dtype=torch.float64) / 32
        power = (window @ angle.cos()) ** 2 + (window @ angle.sin()) ** 2
        expected.append(10 * (power @ filters).clamp(min=1e-10).log10())
    torch.testing.assert_close(block(wave), torch.stack(expected, dim=1), atol=1e-8, rtol=0)


@given(st.floats(0, 20_000))
def test_the_mel_scale_is_undone(hertz):
    there = hertz_to_mel(torch.tensor(hertz, dtype=torch.float64))
    assert mel_to_hertz(there).item() == pytest.approx(hertz, abs=1e-9)


@pytest.mark.parametrize("band", [0, 7, 30, 63])
def test_a_tone_lights_its_own_band(band):
    edges = torch.linspace(*hertz_to_mel(torch.tensor([50.0, 14_000.0])).tolist(), 66, dtype=torch.float64)
    hertz = mel_to_hertz(edges)[band + 1]
    tone = (2 * math.pi * hertz * seconds()).sin().float()[None]
    assert LogMel()(tone).mean(1).argmax().item() == band


def test_ten_seconds_have_1001_frames_and_silence_is_100_decibels_down():
    silence = LogMel()(torch.zeros(1, 320_000))
    assert silence.shape == (1, 1001, 64)
    assert (silence == -100).all()


def test_the_gradient_reaches_the_wave_even_in_silence():
    wave = torch.zeros(1, 2000, requires_grad=True)
    LogMel()(wave).sum().backward()
    assert wave.grad.isfinite().all()


def test_built_on_meta_pickled_or_copied_it_is_the_same():
    wave, here = torch.randn(1, 4000), LogMel()
    with torch.device("meta"):
        there = LogMel()
    assert there(wave.to("meta")).is_meta
    for twin in (there.to_empty(device="cpu"), copy.deepcopy(here), pickle.loads(pickle.dumps(here))):
        assert torch.equal(twin(wave), here(wave))
    assert not here.state_dict()


def test_autocast_does_not_blur_it():
    wave = torch.randn(1, 4000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = LogMel()(wave)
    assert torch.equal(inside, LogMel()(wave))
    half = LogMel()(wave.bfloat16())
    assert half.dtype == torch.bfloat16


def test_compiled_it_gives_the_same():
    wave, block = torch.randn(2, 2000), LogMel(mels=8)
    compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(wave), block(wave))


def test_a_wave_too_short_to_reflect_is_refused_with_the_fix():
    with pytest.raises(
        ValueError, match=r"LogMel: wave has 512 samples.*n_fft=1024 need more than 512.*tile\(wave, 1024\)"
    ):
        LogMel()(torch.zeros(1, 512))
    assert LogMel()(torch.zeros(1, 513)).shape == (1, 2, 64)


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match=r"LogMel: 0 ≤ fmin=50.0 < fmax=14000.0 ≤ rate/2=8000.0 must hold"):
        LogMel(16_000)
    with pytest.raises(ValueError, match=r"LogMel: n_fft=1024, hop=0 and mels=64 must be at least 1"):
        LogMel(hop=0)
    with pytest.raises(ValueError, match=r"LogMel: \d+ of mels=128 filters see no frequency of n_fft=256"):
        LogMel(n_fft=256, mels=128)


def test_its_repr_shows_the_numbers():
    assert repr(LogMel()) == "LogMel(rate=32000, n_fft=1024, hop=320, mels=64, fmin=50.0, fmax=14000.0)"
