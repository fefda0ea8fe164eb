"""What an alignment is: the guide on the stream's grid, its mean, and attention to it."""

from typing import Protocol

from torch import Tensor


class Alignment(Protocol):
    """Brings a guide `(frame, guide_token, guide_channel)` to the grid and width of one stream."""

    def __call__(self, guide: Tensor) -> Tensor:
        """The aligned guide, `(frame, token, channel)`."""

    def pooled(self, guide: Tensor) -> Tensor:
        """The cue: the mean of the aligned guide over its tokens, `(frame, channel)`."""

    def attend(self, latents: Tensor, guide: Tensor) -> Tensor:
        """`softmax(latents · alignedᵀ) · aligned`, `(frame, latent, channel)`."""
