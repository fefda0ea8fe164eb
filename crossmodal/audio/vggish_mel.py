"""Log-mel spectrogram of one second, as VGGish was trained on it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..lazy_constant import LazyConstant
from ..precision import without_autocast
from ..shapes import shaped

RATE, FRAME, HOP, FFT, BANDS, FRAMES = 16_000, 400, 160, 512, 64, 96
LOWEST, HIGHEST, OFFSET = 125.0, 7_500.0, 0.01


class VggishLogMel(nn.Module):
    r"""Computes $\ln(m + 0.01)$ of a mel spectrogram of magnitudes at 16 kHz: frames of 25 ms every 10 ms, no padding.

    Periodic Hann window, 64 triangles on the HTK mel scale from 125 to 7500 Hz, linear in mel and without
    normalisation. A second gives 98 frames, of which the first 96 are used.

    Shapes: wave `(frame, sample)` of at least 15,600 samples → log-mel `(frame, 96, 64)`.
    Source: Hershey et al., *CNN Architectures for Large-Scale Audio Classification*, ICASSP 2017, and its released
    code.
    """

    def __init__(self) -> None:
        """Builds the front end, which has no options: the weights were trained on these numbers."""
        super().__init__()
        self.window = LazyConstant(_window)
        self.filters = LazyConstant(vggish_filters)

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame time mel"]:
        """Computes the log-mel.

        Raises:
            ValueError: If the wave is shorter than 96 frames.
        """
        needed = FRAME + (FRAMES - 1) * HOP
        if wave.shape[1] < needed:
            raise ValueError(
                f"VggishLogMel: wave has {wave.shape[1]} samples, but {FRAMES} frames at {RATE} Hz need {needed}: pad "
                "it with zeros, or repeat it."
            )
        with without_autocast(wave.device):
            exact = wave.to(torch.promote_types(wave.dtype, torch.float32))
            frames = exact[:, :needed].unfold(1, FRAME, HOP) * self.window.on(wave.device).to(exact.dtype)
            magnitude = torch.fft.rfft(frames, FFT).abs()
            mel = magnitude @ self.filters.on(wave.device).to(exact.dtype)
            return (mel + OFFSET).log().to(wave.dtype)


def vggish_filters(*, device: torch.device) -> Tensor:
    """Returns VGGish's mel filters, `(frequency, mel)`; the constant part of the spectrum is left out."""
    exact = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
    frequency = _htk(torch.linspace(0, RATE / 2, FFT // 2 + 1, device=device, dtype=exact))[:, None]
    low, high = _htk(torch.tensor([LOWEST, HIGHEST], device=device, dtype=exact))
    edges = low + (high - low) * torch.arange(BANDS + 2, device=device, dtype=exact) / (BANDS + 1)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[0] = 0
    return filters


def _htk(hertz: Tensor) -> Tensor:
    return 1127 * (1 + hertz / 700).log()


def _window(*, device: torch.device) -> Tensor:
    exact = torch.float32 if device.type == "mps" else torch.float64
    return torch.hann_window(FRAME, periodic=True, device=device, dtype=exact)
