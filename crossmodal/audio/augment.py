"""Augmentation of spectrograms in training: masked stripes of time and frequency, and mixtures of two sounds."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped


class SpecAugment(nn.Module):
    """Sets random stripes of a spectrogram to zero, others in each frame; does nothing in evaluation.

    Shapes: log-mel `(frame, time, mel)` → the same.
    Source: Park et al., *SpecAugment*, Interspeech 2019; the defaults are HTS-AT's.
    """

    def __init__(self, *, time: int = 64, mel: int = 8, stripes: int = 2):
        """Builds the augmentation.

        Args:
            time: Stripes of time are shorter than this many steps; lengths are uniformly distributed.
            mel: The same of stripes of frequency.
            stripes: Number of stripes along each axis.

        Raises:
            ValueError: If a number is negative.
        """
        super().__init__()
        if min(time, mel, stripes) < 0:
            raise ValueError(f"SpecAugment: time={time}, mel={mel} and stripes={stripes} must not be negative.")
        self.time, self.mel, self.stripes = time, mel, stripes

    @shaped
    def forward(self, log_mel: Float[Tensor, "frame time mel"]) -> Float[Tensor, "frame time mel"]:
        """Masks the log-mel."""
        if not self.training:
            return log_mel
        frames, time, mels = log_mel.shape
        blank_time = self._stripes(frames, time, self.time, log_mel.device)
        blank_mel = self._stripes(frames, mels, self.mel, log_mel.device)
        return log_mel.masked_fill(blank_time[:, :, None] | blank_mel[:, None, :], 0.0)

    def _stripes(self, frames: int, size: int, longest: int, device: torch.device) -> Tensor:
        """Draws the masked steps along one axis, `(frame, size)`."""
        length = (torch.rand(frames, self.stripes, 1, device=device) * min(longest, size)).floor()
        start = (torch.rand(frames, self.stripes, 1, device=device) * (size - length)).floor()
        step = torch.arange(size, device=device)
        return ((step >= start) & (step < start + length)).any(dim=1)

    def extra_repr(self) -> str:
        """Shows the sizes."""
        return f"time={self.time}, mel={self.mel}, stripes={self.stripes}"


class SpectrogramMixup(nn.Module):
    r"""Mixes every spectrogram with another one of the batch in training; does nothing in evaluation.

    $$x_i \leftarrow \lambda_i x_i + (1 - \lambda_i)\, x_{n + 1 - i},
          \quad \lambda_i \sim \mathrm{Beta}(\tfrac12, \tfrac12)$$

    The partner is the frame at the same place of the reversed batch, and every frame has a weight of its own. Targets
    are not mixed: a mixture keeps the target of its first sound.

    Shapes: log-mel `(frame, time, mel)` → the same.
    Source: Zhang et al., *mixup*, ICLR 2018, as the released DG-SCT (NeurIPS 2023) uses it on AVVP, AVS and AVQA.
    """

    @shaped
    def forward(self, log_mel: Float[Tensor, "frame time mel"]) -> Float[Tensor, "frame time mel"]:
        """Mixes the log-mel."""
        if not self.training:
            return log_mel
        # Beta(1/2, 1/2) is the arcsine law; torch's own sampler knows no meta device, on which costs are counted
        angle = 0.5 * torch.pi * torch.rand(len(log_mel), 1, 1, device=log_mel.device)
        own = angle.sin().square().to(log_mel.dtype)
        return own * log_mel + (1 - own) * log_mel.flip(0)
