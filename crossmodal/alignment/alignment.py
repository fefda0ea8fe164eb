"""The contract of an alignment: the guide on the stream's grid, its mean, and attention to it."""

from typing import Protocol, cast

from torch import Tensor, nn

from ..plain import is_unobserved


class Alignment(Protocol):
    """Brings a guide `(frame, guide_token, guide_channel)` to the grid and width of one stream."""

    def __call__(self, guide: Tensor) -> Tensor:
        """Computes the aligned guide, `(frame, token, channel)`."""

    def pooled(self, guide: Tensor) -> Tensor:
        """Computes the cue: the mean of the aligned guide over its tokens, `(frame, channel)`."""

    def attend(self, latents: Tensor, guide: Tensor) -> Tensor:
        """Computes `softmax(latents · alignedᵀ) · aligned`, `(frame, latent, channel)`."""


class Formed:
    """Evaluates an alignment directly: calls the module, and takes cue and attention of the aligned guide.

    The guide is aligned once for both, as long as it is the same tensor.
    """

    def __init__(self, align: nn.Module):
        """Takes any module with `forward(guide)`."""
        self.align = align
        self._formed: tuple[Tensor, Tensor] | None = None

    def __call__(self, guide: Tensor) -> Tensor:
        """Computes the aligned guide."""
        if self._formed is None or self._formed[0] is not guide:
            self._formed = guide, self.align(guide)
        return self._formed[1]

    def pooled(self, guide: Tensor) -> Tensor:
        """Computes the cue."""
        return self(guide).mean(1)

    def attend(self, latents: Tensor, guide: Tensor) -> Tensor:
        """Computes what the latent rows read."""
        aligned = self(guide)
        return (latents @ aligned.mT).softmax(-1) @ aligned


def as_alignment(align: nn.Module) -> Alignment:
    """Returns `align`, or its direct evaluation where `pooled` and `attend` would pass by what it calls.

    That is: where it has no such methods, where it is hooked or wrapped itself, and where a layer inside it is not
    plain, as its own `is_plain()` tells, if it has one.
    """
    kind = type(align)
    if not (hasattr(kind, "pooled") and hasattr(kind, "attend") and is_unobserved(align)):
        return Formed(align)
    return cast(Alignment, align) if not hasattr(kind, "is_plain") or kind.is_plain(align) else Formed(align)
