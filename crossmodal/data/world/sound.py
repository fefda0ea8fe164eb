"""Sounds of the built-in world: one timbre per texture, in a few pitches, as loops of one second."""

import functools
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from jaxtyping import Float32

from .scene import SEGMENTS, TEXTURES, Sounds

Wave = Float32[np.ndarray, " sample"]
PITCHES = 8
BELL = ((1, 4), (2.76, 6), (5.4, 9))  # ratio to the lowest partial, decay a second
LEVEL = 0.1  # root mean square of a source at full loudness


def mix(rng: np.random.Generator, sounds: Sounds, rate: int, clutter: float) -> Float32[np.ndarray, "segment sample"]:
    """Mixes the sound of a clip, in [-1, 1], one second per segment.

    Args:
        rng: Source of pitches and shifts.
        sounds: What to mix.
        rate: Samples per second.
        clutter: In [0, 1]: how loud the noise of the room is.
    """
    bank, ground = _bank(rate)
    wave = np.tile(np.roll(ground, rng.integers(rate)) * np.float32(0.02 + 0.08 * clutter), (SEGMENTS, 1))
    pitch, shift = rng.integers(0, PITCHES, len(sounds.texture)), rng.integers(0, rate, len(sounds.texture))
    for index, texture in enumerate(sounds.texture):
        loop = np.roll(bank[texture, pitch[index]], shift[index])
        first = int(sounds.onset[index])
        late = int((sounds.onset[index] - first) * rate)
        wave[first, late:] += sounds.loudness[first, index] * loop[late:]
        wave[first + 1 :] += sounds.loudness[first + 1 :, index, None] * loop
    return np.clip(wave, -1, 1)


@functools.lru_cache(maxsize=4)
def _bank(rate: int) -> tuple[Float32[np.ndarray, "texture pitch sample"], Wave]:
    """Returns every timbre in every pitch, and the noise of the room."""
    second = np.arange(rate) / rate
    bank = [[_levelled(timbre(second, pitch)) for pitch in np.linspace(0, 1, PITCHES)] for timbre in TIMBRES]
    return np.array(bank, np.float32), _levelled(np.random.default_rng(1).standard_normal(rate))


def _chord(second: np.ndarray, partials: Iterable[tuple[float, float]]) -> np.ndarray:
    """Returns a sum of sines, given their hertz and amplitudes."""
    return np.sum([amplitude * np.sin(2 * np.pi * hertz * second) for hertz, amplitude in partials], axis=0)


def _levelled(wave: np.ndarray) -> Wave:
    return (LEVEL * wave / np.sqrt(np.mean(wave**2))).astype(np.float32)


# Timbres take the times of one second and a pitch in [0, 1]. Whole frequencies and struck notes that die within
# their period make loops without a seam.


def hum(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns six harmonics of a low note."""
    note = round(100 + 40 * pitch)
    return _chord(second, ((note * k, 1 / k) for k in range(1, 7)))


def whistle(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns a high pure tone with vibrato."""
    return np.sin(2 * np.pi * round(1500 + 500 * pitch) * second + 6 * np.sin(2 * np.pi * 6 * second))


def hiss(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns noise of the highest band."""
    spectrum = np.fft.rfft(np.random.default_rng(int(100 * pitch)).standard_normal(len(second)))
    low = round(4000 + 500 * pitch)
    spectrum[:low] = spectrum[low + 2500 :] = 0
    return np.fft.irfft(spectrum, len(second))


def knock(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns five dull strokes."""
    since = second * 5 % 1 / 5
    return np.sin(2 * np.pi * (250 + 100 * pitch) * since) * np.exp(-40 * since)


def bell(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns inharmonic partials, struck twice."""
    since, note = second * 2 % 1 / 2, 420 + 120 * pitch
    partials = [np.sin(2 * np.pi * note * ratio * since) * np.exp(-decay * since) for ratio, decay in BELL]
    return np.sum(partials, axis=0)


def siren(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns four rising sweeps over two octaves."""
    since = second * 4 % 1 / 4
    return np.sin(2 * np.pi * (600 + 150 * pitch) * (4 ** (4 * since) - 1) / (4 * np.log(4)))


def buzz(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns a saw tooth: all harmonics up to six kilohertz."""
    note = round(220 + 80 * pitch)
    return _chord(second, ((note * k, k**-0.5) for k in range(1, 6000 // note)))


def crackle(second: np.ndarray, pitch: float) -> np.ndarray:
    """Returns thirty clicks at random moments."""
    rng = np.random.default_rng(int(100 * pitch))
    clicks = np.zeros(len(second))
    clicks[rng.integers(0, len(second), 30)] = rng.uniform(0.5, 1, 30)
    decay = np.exp(-second * 2000) * np.sin(2 * np.pi * 2500 * second)
    return np.fft.irfft(np.fft.rfft(clicks) * np.fft.rfft(decay), len(second))


def tone(second: np.ndarray, pitch: float, *, hertz: int, pulses: int) -> np.ndarray:
    """Returns a pure tone, whole or in pulses of even length."""
    on = second * 2 * pulses % 2 < 1 if pulses else 1
    return np.sin(2 * np.pi * round(hertz * (1 + 0.1 * pitch)) * second) * on


TIMBRES: tuple[Callable[[np.ndarray, float], np.ndarray], ...] = (
    hum,
    whistle,
    hiss,
    knock,
    bell,
    siren,
    buzz,
    crackle,
    *(partial(tone, hertz=hertz, pulses=pulses) for hertz in (400, 3000) for pulses in (0, 5)),
)
"""One timbre per texture, in their order; then tones that no texture has: in the lower and the higher band, steady and
pulsed."""

TONES = np.arange(len(TEXTURES), len(TIMBRES)).reshape(2, 2)
"""Timbre of the tone by band and by whether it is pulsed."""
