"""Spectrograms as pictures, for image encoders that hear."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped


class SoundPicture(nn.Module):
    r"""Turns the log-mel spectrogram of a second into a picture of three equal channels: $(x - \mu) / 2\sigma$.

    Time runs along rows and frequency along columns, as in LAVisH. It is cut or padded with the normalised zero to a
    square. Departure: LAVisH takes a Kaldi filter bank in nats over a longer window, this a log-mel in decibels, whose
    mean and deviation are by default those of the built-in world with 64 bands (with 192, they are -11.4 and 12.0).

    Shapes: wave `(frame, sample)` → `(frame, 3, size, size)`.
    Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023.
    """

    def __init__(self, log_mel: nn.Module, size: int, *, mean: float = -24.0, deviation: float = 13.5):
        """Builds the block.

        Args:
            log_mel: Wave → `(frame, time, mel)`, in decibels.
            size: Side of the picture.
            mean: Mean of the spectrogram.
            deviation: Its standard deviation.
        """
        super().__init__()
        self.log_mel, self.size, self.mean, self.deviation = log_mel, size, mean, deviation

    @shaped
    def forward(self, wave: Float[Tensor, "frame sample"]) -> Float[Tensor, "frame 3 rows columns"]:
        """Computes the pictures."""
        found = (self.log_mel(wave) - self.mean) / (2 * self.deviation)
        square = found.new_zeros(len(found), self.size, self.size)
        part = found[:, : self.size, : self.size]
        square[:, : part.shape[1], : part.shape[2]] = part
        return torch.stack([square] * 3, dim=1)

    def extra_repr(self) -> str:
        """Shows size and normalisation."""
        return f"{self.size}, mean={self.mean}, deviation={self.deviation}"
