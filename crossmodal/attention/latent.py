"""Latent tokens: a few learned tokens attend to the guide, and the stream to them: linear in both token counts."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import check_width, shaped


@runtime_checkable
class ReadsGuide(Protocol):
    """Offers attention of latent rows to the aligned guide, as an alignment does."""

    def attend(self, latents: Tensor, guide: Tensor) -> Tensor:
        """Computes `softmax(latents · alignedᵀ) · aligned`, `(frame, latent, channel)`."""


class LatentTokens(nn.Module):
    r"""Carries the guide to the stream through $K$ learned tokens $L$.

    $$L' = L + \mathrm{softmax}(L G^\top) G, \qquad y = x + g\,\mathrm{softmax}(x L'^\top) L'$$

    with the aligned guide $G$ and a gate $g$ that starts at zero. No projections, no scaling. The gate is folded into
    the tokens that are read; for the backward the attention weights are kept, which are smaller than their product.

    Shapes: stream `(frame, token, channel)`, guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: LAVisH (Lin et al., CVPR 2023), as DG-SCT keeps it.
    """

    def __init__(
        self,
        channels: int,
        latents: int = 32,
        *,
        init: Callable[[Tensor], Any] = nn.init.uniform_,
        start: float = 0.0,
    ):
        """Builds the block.

        Args:
            channels: Width of the stream.
            latents: Number of tokens; released: 32 (AVE, AVVP, AVS), 2 (AVQA, few-shot).
            init: Fills the tokens in place; released: `uniform_` in [0, 1), or `zeros_` (AVS, AVQA).
            start: Value of the gate before training; published: 0.

        Raises:
            ValueError: If `latents` is less than 1.
        """
        super().__init__()
        if latents < 1:
            raise ValueError(f"LatentTokens: latents={latents} must be at least 1; without them use NoLatents.")
        self.tokens = nn.Parameter(torch.empty(latents, channels))
        self.gate = nn.Parameter(torch.full((1,), float(start)))
        init(self.tokens)

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
        align: ReadsGuide,
    ) -> Float[Tensor, "frame token channel"]:
        """Computes the stream after it has attended to the tokens, and they to the guide through `align`."""
        check_width(self, "stream", stream, self.tokens.shape[1])
        informed = self.tokens + self._read(align, guide)
        weights = (stream @ informed.mT).softmax(-1)
        return plus_product(stream, weights, self.gate * informed)

    def _read(self, align: ReadsGuide, guide: Tensor) -> Tensor:
        """Returns what the tokens read of the guide, frame by frame; one set of rows would be broadcast in silence."""
        read, expected = align.attend(self.tokens[None], guide), (guide.shape[0], *self.tokens.shape)
        if read.shape != expected:
            raise ValueError(
                f"LatentTokens: attend of align={type(align).__name__} returned shape {tuple(read.shape)}, expected "
                f"(frame, latent, channel) {tuple(expected)}: return rows for every frame of the guide."
            )
        return read

    def extra_repr(self) -> str:
        """Shows the width and the number of tokens."""
        return f"{self.tokens.shape[1]}, latents={self.tokens.shape[0]}"


def plus_product(stream: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Computes `stream + left @ right` in one pass, where nothing would bring the stream to another dtype."""
    lowers = torch.is_autocast_enabled(stream.device.type) if stream.device.type != "meta" else False
    if lowers or not stream.dtype == left.dtype == right.dtype:
        return stream + left @ right
    return torch.baddbmm(stream, left, right)


class NoLatents(nn.Module):
    """Returns the stream unchanged, in place of latent tokens: the guide acts through the cue alone."""

    def __init__(self, channels: int):
        """Builds the block.

        Args:
            channels: Accepted as by every factory of a width, and not used.
        """
        super().__init__()

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
        align: ReadsGuide,
    ) -> Float[Tensor, "frame token channel"]:
        """Returns `stream`."""
        return stream
