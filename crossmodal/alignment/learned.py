"""Learned alignment: a learned token mixer, then a learned projection of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..plain import is_affine, products_of
from ..shapes import check_width, shaped
from ..site import Site
from .alignment import Formed


class LearnedAlignment(nn.Module):
    r"""Brings the guide to the stream's grid and width: $G = (W V + b 1^\top) F^\top + 1 f^\top$.

    Its weights are tied to both token counts: another grid needs another alignment (`ResampledAlignment` does not).
    While both layers are plain, cue and attention go through their weights, and $G$ is formed by `forward` alone.

    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: DG-SCT's 1×1 convolution over tokens and linear layer over channels.
    """

    def __init__(self, guide_tokens: int, guide_channels: int, tokens: int, channels: int):
        """Builds the block.

        Args:
            guide_tokens: Tokens of the guide.
            guide_channels: Width of the guide.
            tokens: Tokens of the stream.
            channels: Width of the stream.
        """
        super().__init__()
        self.guide_tokens, self.guide_channels, self.channels = guide_tokens, guide_channels, channels
        self.mix = nn.Linear(guide_tokens, tokens)
        self.project = nn.Linear(guide_channels, channels)

    def is_plain(self) -> bool:
        """Returns whether `pooled` and `attend` may go through the weights of both layers."""
        own = type(self).forward is LearnedAlignment.forward
        return own and is_affine(self.mix, nn.Linear) and is_affine(self.project, nn.Linear)

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes the aligned guide."""
        self._check(guide)
        return self.project(self.mix(guide.mT).mT)

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """Computes the cue, `forward(guide).mean(1)`, without forming the aligned guide."""
        self._check(guide)
        if not self.is_plain():
            return Formed(self).pooled(guide)
        # A sum, not a mean: of the large weight its gradient is a view, and the backward of a mean would write it out.
        weights = self.mix.weight.sum(0) / self.mix.out_features
        # the same row for every frame: a product of one row with all of them would copy the guide into other order
        mean = torch.bmm(weights.expand(guide.shape[0], 1, -1), guide).squeeze(1)
        return self.project(mean + self.mix.bias.mean())

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """Computes `softmax(latents · Gᵀ) · G` without forming `G`; the projection's bias drops out of the softmax."""
        check_width(self, "latents", latents, self.channels)
        self._check(guide)
        if not self.is_plain():
            return Formed(self).attend(latents, guide)
        products, query = products_of(self.mix), latents @ self.project.weight
        # the mixer's bias adds the same to every channel of a token, so it meets the sum of the query
        scores = products.linear(query @ guide.mT, self.mix.weight) + query.sum(-1, keepdim=True) * self.mix.bias
        weights = scores.softmax(-1)
        mixed = products.times(weights, self.mix.weight) @ guide + (weights @ self.mix.bias)[..., None]
        return self.project(mixed)

    def _check(self, guide: Tensor) -> None:
        check_width(self, "guide", guide, self.guide_channels)
        if guide.shape[1] != self.guide_tokens:
            raise ValueError(
                f"LearnedAlignment: guide has {guide.shape[1]} tokens, but the token mixer was learned for "
                f"{self.guide_tokens}: keep that grid, or align with ResampledAlignment."
            )


def learned_alignment(stream: Site, guide: Site) -> LearnedAlignment:
    """Builds a `LearnedAlignment` between the two sites."""
    return LearnedAlignment(guide.tokens, guide.width, stream.tokens, stream.width)
