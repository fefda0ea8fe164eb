"""Spectrograms as pictures for image encoders: mel filter banks as Kaldi computes them, in three equal channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..lazy_constant import LazyConstant
from ..precision import without_autocast
from ..shapes import shaped
from .wave import tile

PUBLISHED, FRAME = 192, 0.025
"""The published side of a picture, and the seconds of sound under a row of it."""
LOWEST, EMPHASIS, FLOOR = 20.0, 0.97, 1.1920929e-07
AVSBENCH, AVE = (-5.21053, 3.59183), (-4.98480, 3.70798)
"""Mean and standard deviation of the log filter banks of AVSBench and AVE."""


class FbankPicture(nn.Module):
    r"""Computes $(x - \mu) / 2\sigma$ of log mel filter banks as a square picture: rows are time, columns are bands.

    Each second of sound is repeated to `seconds`, where the published code of AVSBench reads on into the next second.
    Frames of 25 ms, without their mean, pre-emphasised, under a Hann window; power; triangles on Kaldi's mel scale from
    20 Hz to half the rate. Rows without sound are zero before they are normalised.

    Shapes: wave `(frame, sample)` → `(frame, 3, size, size)`.
    Source: the front end of LAVisH's released code, as recalled of its Kaldi-compatible settings.
    """

    def __init__(
        self,
        size: int = PUBLISHED,
        *,
        rate: int = 16_000,
        seconds: float = 1.95,
        shift: float = 0.01,
        statistics: tuple[float, float] = AVSBENCH,
    ):
        """Builds the front end; the defaults are the published numbers for AVSBench.

        Args:
            size: Rows and columns.
            rate: Samples per second.
            seconds: Length of the sound that a picture shows.
            shift: Seconds from row to row of 192; fewer rows are proportionally farther apart, and longer.
            statistics: Mean and standard deviation of the values.

        Raises:
            ValueError: If a size is not positive, or a step has no sample.
        """
        super().__init__()
        scale = rate * PUBLISHED / size if size > 0 else 0
        self.hop, self.window = int(scale * shift + 1e-6), int(scale * FRAME + 1e-6)  # Kaldi rounds down
        self.samples = round(seconds * rate)
        if self.hop < 1 or self.samples < self.window:
            raise ValueError(
                f"FbankPicture: size={size}, rate={rate}, shift={shift} and seconds={seconds} must be positive, with a "
                f"sample from row to row (here {self.hop}) and sound for a row (here {self.samples} samples of "
                f"{self.window})."
            )
        self.size, self.rate, self.statistics = size, rate, statistics
        self.fft = 1 << (self.window - 1).bit_length()
        self.hann = LazyConstant(symmetric_hann, self.window)
        self.filters = LazyConstant(kaldi_filters, rate, self.fft, size)

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame 3 row column"]:
        """Computes the pictures."""
        with without_autocast(wave.device):
            exact = wave.to(torch.promote_types(wave.dtype, torch.float32))
            sound = tile(exact - exact.mean(1, keepdim=True), self.samples)
            frames = sound.unfold(1, self.window, self.hop)
            frames = frames - frames.mean(2, keepdim=True)
            before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
            power = (
                torch.fft.rfft((frames - EMPHASIS * before) * self.hann.on(wave.device).to(exact.dtype), self.fft)
                .abs()
                .square()
            )
            mel = (power @ self.filters.on(wave.device).to(exact.dtype)).clamp(min=FLOOR).log()
        rows = F.pad(mel, (0, 0, 0, max(0, self.size - mel.shape[1])))[:, : self.size]
        mean, deviation = self.statistics
        return ((rows - mean) / (2 * deviation)).to(wave.dtype)[:, None].expand(-1, 3, -1, -1)

    def extra_repr(self) -> str:
        """Shows the sizes."""
        return f"size={self.size}, rate={self.rate}, samples={self.samples}, window={self.window}, hop={self.hop}"


def symmetric_hann(size: int, *, device: torch.device) -> Tensor:
    """Returns the Hann window that is zero at both ends."""
    return torch.hann_window(size, periodic=False, device=device)


def kaldi_filters(rate: int, fft: int, bands: int, *, device: torch.device) -> Tensor:
    """Returns triangular filters on Kaldi's mel scale, `(frequency, band)`, without the highest frequency."""
    frequency = _mel(torch.arange(fft // 2 + 1, device=device) * rate / fft)[:, None]
    low, high = _mel(torch.tensor([LOWEST, rate / 2], device=device))
    edges = low + (high - low) * torch.arange(bands + 2, device=device) / (bands + 1)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    filters = torch.minimum((frequency - left) / (centre - left), (right - frequency) / (right - centre)).clamp(min=0)
    filters[-1] = 0
    return filters


def _mel(hertz: Tensor) -> Tensor:
    return 1127 * (1 + hertz / 700).log()
