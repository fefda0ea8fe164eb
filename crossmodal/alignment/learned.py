"""Learned alignment: a learned token mixer, then a learned projection of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..linear import Linear, linear, times
from ..shapes import check_width, shaped
from ..site import Site


class LearnedAlignment(nn.Module):
    r"""Brings the guide to the stream's grid and width: $G = (W V + b 1^\top) F^\top + 1 f^\top$.

    Its weights are tied to both token counts: another grid needs another alignment (`ResampledAlignment` does not).
    Cue and attention go through the factors, so $G$ is formed by `forward` alone.
    Shapes: guide `(frame, guide_token, guide_channel)` → `(frame, token, channel)`.
    Source: DG-SCT's 1×1 convolution over tokens and linear layer over channels.
    """

    def __init__(self, guide_tokens: int, guide_channels: int, tokens: int, channels: int):
        """Sizes of the guide, then of the stream."""
        super().__init__()
        self.mix = Linear(guide_tokens, tokens)
        self.project = Linear(guide_channels, channels)

    @shaped
    def forward(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame token channel"]:
        """The aligned guide."""
        self._check(guide)
        return self.project(self.mix(guide.mT).mT)

    @shaped
    def pooled(self, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Float[Tensor, "frame channel"]:
        """The cue: `forward(guide).mean(1)`, without forming it."""
        self._check(guide)
        # A sum, not a mean: of the large weight its gradient is a view, and the backward of a mean would write it out.
        weights = self.mix.weight.sum(0) / self.mix.out_features
        return self.project(torch.einsum("g,fgc->fc", weights, guide) + self.mix.bias.mean())

    @shaped
    def attend(
        self,
        latents: Float[Tensor, "#frame latent channel"],
        guide: Float[Tensor, "frame guide_token guide_channel"],
    ) -> Float[Tensor, "frame latent channel"]:
        """`softmax(latents · Gᵀ) · G`, without forming `G`; the projection's bias drops out of the softmax."""
        check_width(self, "latents", latents, self.project.out_features)
        self._check(guide)
        query = latents @ self.project.weight
        scores = linear(query @ guide.mT, self.mix.weight) + query.sum(-1, keepdim=True) * self.mix.bias
        weights = scores.softmax(-1)
        mixed = times(weights, self.mix.weight) @ guide + (weights @ self.mix.bias)[..., None]
        return self.project(mixed)

    def _check(self, guide: Tensor) -> None:
        check_width(self, "guide", guide, self.project.in_features)
        if guide.shape[1] != self.mix.in_features:
            raise ValueError(
                f"LearnedAlignment: guide has {guide.shape[1]} tokens, but the token mixer was learned for "
                f"{self.mix.in_features}: keep that grid, or align with ResampledAlignment."
            )


def learned_alignment(stream: Site, guide: Site) -> LearnedAlignment:
    """The factory: a token mixer and a projection between the two sites."""
    return LearnedAlignment(guide.tokens, guide.width, stream.tokens, stream.width)
