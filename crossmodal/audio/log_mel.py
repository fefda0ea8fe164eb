"""Log-mel spectrogram of a waveform, as HTS-AT was trained on it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..lazy_constant import LazyConstant
from ..precision import without_autocast
from ..shapes import shaped


class LogMel(nn.Module):
    r"""Computes a mel power spectrogram in decibels: $10\log_{10}\max(x, 10^{-10})$, without an upper limit.

    Periodic Hann window, centred frames, reflected borders, Slaney's mel scale with areas normalised: the defaults of
    librosa and torchlibrosa, computed by FFT.

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
        """Builds the front end.

        Args:
            rate: Samples per second.
            n_fft: Samples of a window.
            hop: Samples between two frames.
            mels: Mel bins.
            fmin: Lowest frequency of the bins, in Hz.
            fmax: Highest frequency of the bins, in Hz.

        Raises:
            ValueError: If a size is not positive, the frequencies are not ordered, or a filter is empty.
        """
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
        """Computes the log-mel in dB.

        Raises:
            ValueError: If the wave is too short for its borders to be reflected.
        """
        if wave.shape[-1] <= self.n_fft // 2:
            raise ValueError(
                f"LogMel: wave has {wave.shape[-1]} samples, but borders reflected for n_fft={self.n_fft} need more "
                f"than {self.n_fft // 2}: repeat it first, as in tile(wave, {self.n_fft})."
            )
        # In bfloat16 the quiet bands would be noise: computed in float32 at least, and outside autocast.
        with without_autocast(wave.device):
            exact = wave.to(torch.promote_types(wave.dtype, torch.float32))
            power = self._power(exact) @ self.filters.on(wave.device).to(exact.dtype)
            return (10 * power.clamp(min=1e-10).log10()).to(wave.dtype)

    def _power(self, wave: Tensor) -> Tensor:
        """Computes the power spectrogram `(frame, time, frequency)`."""
        window = self.window.on(wave.device).to(wave.dtype)
        spectrum = torch.stft(wave, self.n_fft, self.hop, window=window, pad_mode="reflect", return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)

    def extra_repr(self) -> str:
        """Shows the settings."""
        rate, n_fft, mels, fmin, fmax = self.filters.arguments
        return f"rate={rate}, n_fft={n_fft}, hop={self.hop}, mels={mels}, fmin={fmin}, fmax={fmax}"


def hann(size: int, *, device: torch.device) -> Tensor:
    """Returns the periodic Hann window."""
    return torch.hann_window(size, periodic=True, device=device, dtype=_exact(device))


def mel_filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float, *, device: torch.device) -> Tensor:
    """Returns triangular filters of equal area on Slaney's mel scale, `(frequency, mel)`."""
    exact = _exact(device)
    ends = torch.tensor([fmin, fmax], device=device, dtype=exact)
    low, high = hertz_to_mel(ends)
    edges = mel_to_hertz(low + (high - low) * torch.arange(mels + 2, device=device, dtype=exact) / (mels + 1))
    frequency = torch.arange(n_fft // 2 + 1, device=device, dtype=exact)[:, None] * rate / n_fft
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (right - left)


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Converts to Slaney's scale: linear below 1000 Hz (15 mels), then logarithmic (27 mels from 1000 to 6400 Hz)."""
    # `where` computes both branches: clamped, so that the other one takes no logarithm of zero
    return torch.where(hertz < 1000, hertz * 3 / 200, 15 + (hertz.clamp(min=1) / 1000).log() * 27 / math.log(6.4))


def mel_to_hertz(mel: Tensor) -> Tensor:
    """Inverts `hertz_to_mel`."""
    return torch.where(mel < 15, mel * 200 / 3, 1000 * ((mel - 15) * math.log(6.4) / 27).exp())


def _exact(device: torch.device) -> torch.dtype:
    """Returns the most precise dtype of a device."""
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
