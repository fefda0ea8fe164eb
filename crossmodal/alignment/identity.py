"""Identity alignment: guide and stream already share grid and width (one encoder for both modalities)."""

from jaxtyping import Float
from torch import Tensor, nn

from ..attention.attend import attend
from ..shapes import check_width, shaped
from ..site import Site


class IdentityAlignment(nn.Module):
    """Returns the guide as it is, for streams of one width: two modalities through one encoder, or a stream and itself.

    Shapes: guide `(frame, token, channel)` → the same.
    Source: LAVisH with a shared encoder.
    """

    def __init__(self, channels: int):
        """Builds the block.

        Args:
            channels: Width of stream and guide.
        """
        super().__init__()
        self.channels = channels

    def is_plain(self) -> bool:
        """Returns whether `pooled` and `attend` belong to this `forward`: false in a subclass with another."""
        return type(self).forward is IdentityAlignment.forward

    @shaped
    def forward(self, guide: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Returns the guide."""
        check_width(self, "guide", guide, self.channels)
        return guide

    @shaped
    def pooled(self, guide: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame channel"]:
        """Computes the cue: the mean of the guide's tokens."""
        check_width(self, "guide", guide, self.channels)
        return guide.mean(1)

    @shaped
    def attend(
        self, latents: Float[Tensor, "#frame latent channel"], guide: Float[Tensor, "frame token channel"]
    ) -> Float[Tensor, "frame latent channel"]:
        """Computes `softmax(latents · guideᵀ) · guide`."""
        check_width(self, "latents", latents, self.channels)
        check_width(self, "guide", guide, self.channels)
        # one head, and no 1/√width below: the published latent tokens attend unscaled
        query, guide = latents.expand(guide.shape[0], -1, -1)[:, :, None], guide[:, :, None]
        return attend(query, guide, guide, scale=1.0).squeeze(2)

    def extra_repr(self) -> str:
        """Shows the width."""
        return f"{self.channels}"


def identity_alignment(stream: Site, guide: Site) -> IdentityAlignment:
    """Builds an `IdentityAlignment`.

    Args:
        stream: The site of the stream.
        guide: The site of the guide, of the same width and tokens.

    Raises:
        ValueError: If the two sites differ in width or tokens.
    """
    if (stream.width, stream.tokens) != (guide.width, guide.tokens):
        raise ValueError(
            f"identity_alignment: stream {stream.name!r} has width {stream.width} and {stream.tokens} tokens, guide "
            f"{guide.name!r} width {guide.width} and {guide.tokens} tokens: they must agree; use resampled_alignment."
        )
    return IdentityAlignment(stream.width)
