"""Waveform → log-mel spectrogram, as HTS-AT was trained on it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..lazy_constant import LazyConstant
from ..precision import without_autocast
from ..shapes import shaped


class LogMel(nn.Module):
    r"""Mel power spectrogram in decibels: $10\log_{10}\max(x, 10^{-10})$, no top.

    Periodic Hann window, centred frames, reflected borders, Slaney's mel scale with areas normalised: the defaults of
    librosa and torchlibrosa, by FFT.

    - `rate`: samples a second.
    - `n_fft`: samples of a window.
    - `hop`: samples between two frames.
    - `mels`: mel bins, between `fmin` and `fmax` Hz.

    Shapes: wave `(frame, sample)` → log-mel `(frame, 1 + sample // hop, mel)` in dB, at least -100.
    """

    def __init__(
        self,
        rate: int = 32_000,
        *,
        n_fft: int = 1024,
        hop: int = 320,
        mels: int = 64,
        fmin: float = 50.0,
        fmax: float = 14_000.0,
    ):
        super().__init__()
        if min(n_fft, hop, mels) < 1:
            raise ValueError(f"LogMel: n_fft={n_fft}, hop={hop} and mels={mels} must be at least 1.")
        if not 0 <= fmin < fmax <= rate / 2:
            raise ValueError(f"LogMel: 0 ≤ fmin={fmin} < fmax={fmax} ≤ rate/2={rate / 2} must hold.")
        self.n_fft, self.hop = n_fft, hop
        self.window = LazyConstant(hann, n_fft)
        self.filters = LazyConstant(mel_filters, rate, n_fft, mels, fmin, fmax)
        empty = int((self.filters.on(torch.device("cpu")).amax(dim=0) == 0).sum())
        if empty:
            raise ValueError(
                f"LogMel: {empty} of mels={mels} filters see no frequency of n_fft={n_fft} at rate={rate}: take fewer "
                f"mels or a longer n_fft."
            )

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame time mel"]:
        """The log-mel in dB."""
        if wave.shape[-1] <= self.n_fft // 2:
            raise ValueError(
                f"LogMel: wave has {wave.shape[-1]} samples, but borders reflected for n_fft={self.n_fft} need more "
                f"than {self.n_fft // 2}: repeat it first, as in tile(wave, {self.n_fft})."
            )
        # In bfloat16 the quiet bands would be noise: the sums run in float32 at least, and out of autocast's reach.
        with without_autocast(wave.device):
            exact = wave.to(torch.promote_types(wave.dtype, torch.float32))
            power = self._power(exact) @ self.filters.on(wave.device).to(exact.dtype)
            return (10 * power.clamp(min=1e-10).log10()).to(wave.dtype)

    def _power(self, wave: Tensor) -> Tensor:
        window = self.window.on(wave.device).to(wave.dtype)
        spectrum = torch.stft(wave, self.n_fft, self.hop, window=window, pad_mode="reflect", return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)

    def extra_repr(self) -> str:
        rate, n_fft, mels, fmin, fmax = self.filters.arguments
        return f"rate={rate}, n_fft={n_fft}, hop={self.hop}, mels={mels}, fmin={fmin}, fmax={fmax}"


def hann(size: int, *, device: torch.device) -> Tensor:
    """The periodic Hann window."""
    return torch.hann_window(size, periodic=True, device=device, dtype=_exact(device))


def mel_filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float, *, device: torch.device) -> Tensor:
    """Triangles of equal area on Slaney's mel scale, `(frequency, mel)`."""
    exact = _exact(device)
    ends = torch.tensor([fmin, fmax], device=device, dtype=exact)
    low, high = hertz_to_mel(ends)
    edges = mel_to_hertz(low + (high - low) * torch.arange(mels + 2, device=device, dtype=exact) / (mels + 1))
    frequency = torch.arange(n_fft // 2 + 1, device=device, dtype=exact)[:, None] * rate / n_fft
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (right - left)


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Slaney's scale: linear below 1000 Hz (15 mels), logarithmic above (27 mels from 1000 to 6400 Hz)."""
    return torch.where(hertz < 1000, hertz * 3 / 200, 15 + (hertz.clamp(min=1) / 1000).log() * 27 / math.log(6.4))


def mel_to_hertz(mel: Tensor) -> Tensor:
    """The inverse of `hertz_to_mel`."""
    return torch.where(mel < 15, mel * 200 / 3, 1000 * ((mel - 15) * math.log(6.4) / 27).exp())


def _exact(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
