"""The stem of HTS-AT: normalises a log-mel of any length, resizes it in time and folds it into a square image."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..audio import SpecAugment, SpectrogramMixup
from ..injection import Encoder
from ..shapes import check_width, shaped
from .patches import PatchEmbedding


class SpectrogramStem(nn.Module):
    """Computes a stream from a log-mel: BatchNorm over mel bins, augmentation, resizing, fold, patch embedding.

    A shorter log-mel is stretched (bicubic). A longer one is cropped: in training at a random place for each frame, in
    evaluation in the middle.

    Shapes: log-mel `(frame, time, mel)` → stream `(frame, token, channel)`.
    """

    def __init__(
        self, side: int, mels: int, width: int, *, patch: int = 4, augment: Callable[[], nn.Module] = SpecAugment
    ):
        """Builds the stem.

        Args:
            side: Side of the folded spectrogram, which has room for `side² / mels` time frames.
            mels: Mel bins; must divide `side`.
            width: Channels of the stream.
            patch: Side of a patch.
            augment: Builds the augmentation of the normalised log-mel in training.

        Raises:
            ValueError: If `mels` does not divide `side`, or `patch` does not.
        """
        super().__init__()
        if mels < 1 or side % mels:
            raise ValueError(f"SpectrogramStem: mels={mels} must divide the side={side} of the folded spectrogram.")
        self.mels, self.chunks = mels, side // mels
        self.length = side * self.chunks  # a chunk is as long as the folded image is wide
        self.norm = nn.BatchNorm1d(mels)
        self.augment = augment()
        self.patches = PatchEmbedding(1, width, (side, side), patch=patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.patches.grid

    @shaped
    def forward(self, log_mel: Float[Tensor, "frame time mel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the stream."""
        check_width(self, "log_mel", log_mel, self.mels)
        normal = self.norm(log_mel.transpose(1, 2)).transpose(1, 2)
        whole = self._to_length(self.augment(normal))
        return self.patches(rearrange(whole, "frame (chunk time) mel -> frame 1 (chunk mel) time", chunk=self.chunks))

    def _to_length(self, log_mel: Tensor) -> Tensor:
        """Crops or stretches a log-mel to `length` time frames."""
        time, mels = log_mel.shape[1:]
        if time > self.length:
            return self._crop(log_mel)
        # bicubic with aligned corners, as in the code that the released weights were trained with
        return F.interpolate(log_mel[:, None], (self.length, mels), mode="bicubic", align_corners=True)[:, 0]

    def _crop(self, log_mel: Tensor) -> Tensor:
        """Crops a log-mel in time: in the middle, or in training at a random place."""
        frames, time, mels = log_mel.shape
        spare = time - self.length
        if not self.training:
            return log_mel[:, spare // 2 : spare // 2 + self.length]
        start = (torch.rand(frames, 1, device=log_mel.device) * (spare + 1)).long()
        kept = start + torch.arange(self.length, device=log_mel.device)
        return log_mel.gather(1, kept[..., None].expand(-1, -1, mels))

    def extra_repr(self) -> str:
        """Shows the sizes."""
        return f"mels={self.mels}, chunks={self.chunks}, length={self.length}"


def mix_spectrograms(encoder: Encoder) -> Encoder:
    """Mixes the spectrograms of a batch in training, behind an encoder's own augmentation, in place; returns it.

    An encoder of images is left as it is, so that `--encoders` may name this function. Frozen encoders mix, too.

    Args:
        encoder: An encoder of the built model.

    Raises:
        ValueError: If it hears sounds, and its stem is not that of HTS-AT.
    """
    if "frequency" not in encoder.sites[0].axes:
        return encoder
    if not isinstance(encoder.stem, SpectrogramStem):
        raise ValueError(
            f"mix_spectrograms: the stem of this audio encoder is a {type(encoder.stem).__name__}, and spectrograms "
            "are mixed in that of HTS-AT alone: take --model.audio htsat or tiny."
        )
    encoder.stem.augment = nn.Sequential(encoder.stem.augment, SpectrogramMixup())
    return encoder
