"""The stem of HTS-AT: a log-mel of any length, normalised, brought to length and folded into a square picture."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..audio import SpecAugment
from ..shapes import check_width, shaped
from .patches import PatchEmbedding


class SpectrogramStem(nn.Module):
    """Log-mel → stream: BatchNorm over the mel bins, augmentation, one length, fold, patch embedding.

    - `side`: of the folded spectrogram; `mels` must divide it. It holds `side² / mels` time frames.
    - `mels`: mel bins.
    - `width`: channels of the stream.
    - `patch`: side of a patch.
    - `augment`: makes what is done to the normalised log-mel in training.

    A shorter log-mel is stretched (bicubic); of a longer one a stretch is cut: in training anywhere, for each frame
    anew; in evaluation from the middle.
    """

    def __init__(
        self, side: int, mels: int, width: int, *, patch: int = 4, augment: Callable[[], nn.Module] = SpecAugment
    ):
        super().__init__()
        if side % mels:
            raise ValueError(f"SpectrogramStem: mels={mels} must divide the side={side} of the folded spectrogram.")
        self.mels, self.chunks = mels, side // mels
        self.length = side * self.chunks
        self.norm = nn.BatchNorm1d(mels)
        self.augment = augment()
        self.patches = PatchEmbedding(1, width, (side, side), patch=patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.patches.grid

    @shaped
    def forward(self, log_mel: Float[Tensor, "frame time mel"]) -> Float[Tensor, "frame token channel"]:
        """The stream."""
        check_width(self, "log_mel", log_mel, self.mels)
        normal = self.norm(log_mel.transpose(1, 2)).transpose(1, 2)
        whole = self._to_length(self.augment(normal))
        return self.patches(rearrange(whole, "frame (chunk time) mel -> frame 1 (chunk mel) time", chunk=self.chunks))

    def _to_length(self, log_mel: Tensor) -> Tensor:
        time, mels = log_mel.shape[1:]
        if time > self.length:
            return self._cut(log_mel)
        picture = log_mel[:, None]
        return F.interpolate(picture, (self.length, mels), mode="bicubic", align_corners=True)[:, 0]

    def _cut(self, log_mel: Tensor) -> Tensor:
        frames, time, mels = log_mel.shape
        spare = time - self.length
        if not self.training:
            return log_mel[:, spare // 2 : spare // 2 + self.length]
        start = (torch.rand(frames, 1, device=log_mel.device) * (spare + 1)).long()
        kept = start + torch.arange(self.length, device=log_mel.device)
        return log_mel.gather(1, kept[..., None].expand(-1, -1, mels))

    def extra_repr(self) -> str:
        return f"mels={self.mels}, chunks={self.chunks}, length={self.length}"
