"""CoCoOp: learned vectors that every picture shifts by a vector of its own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..encoders.towers import TextEncoder
from ..shapes import check_width, shaped
from .layouts import PromptLayout, at_end
from .sentences import Sentences
from .static import PromptVectors


class ConditionalPrompts(PromptVectors):
    r"""Shifts all vectors of a prompt by $\pi_i = W_2\,\mathrm{relu}(W_1 f_i)$ of the normalised picture feature $f_i$.

    A prompt set per picture: the text tower runs `picture × class` times. The untrained meta-net is no identity, as
    published.

    Shapes: embedded sentences `(class, token, channel)`, features `(picture, feature)` → prompts
    `(picture, class, token, channel)`.
    Source: Zhou et al., *Conditional Prompt Learning for Vision-Language Models*, CVPR 2022 (CoCoOp).
    """

    def __init__(
        self,
        context: Float[Tensor, "*classes vector channel"],
        sentences: Sentences,
        *,
        features: int,
        reduction: int = 16,
        layout: PromptLayout = at_end,
    ):
        """Builds the block.

        Args:
            context: As `StaticPrompts` takes it.
            sentences: As `StaticPrompts` takes them.
            features: Width of a picture feature.
            reduction: The meta-net has `features // reduction` hidden units, one at least.
            layout: As `StaticPrompts` takes it.
        """
        super().__init__(context, sentences, layout=layout)
        hidden = max(1, features // reduction)
        self.features = features
        self.enter, self.leave = nn.Linear(features, hidden), nn.Linear(hidden, self.context.shape[-1])

    @shaped
    def forward(
        self, embedded: Float[Tensor, "label token channel"], features: Float[Tensor, "picture feature"]
    ) -> Float[Tensor, "picture label token channel"]:
        """Computes the prompts of every picture.

        Args:
            embedded: Embeddings of `sentences`.
            features: Of the pictures; normalised here.
        """
        check_width(self, "embedded", embedded, self.context.shape[-1])
        check_width(self, "features", features, self.features)
        shift = self.shift(F.normalize(features, dim=-1))
        vectors = self.context.expand(len(embedded), -1, -1) + shift[:, None, None]
        pool = torch.cat([embedded.expand(len(shift), -1, -1, -1), vectors], dim=2)
        return torch.take_along_dim(pool, self.order.on(pool.device)[None], dim=2)

    def features_for(self, text: TextEncoder, features: Tensor) -> Tensor:
        """Computes the features of all classes for every picture, `(picture, class, feature)`, by the text tower."""
        ids = self.sentences.on(self.context.device)
        prompts = self(text.embed(ids), features)
        encoded = text.encode(prompts.flatten(0, 1), ids.repeat(features.shape[0], 1))
        return encoded.unflatten(0, prompts.shape[:2])

    def shift(self, features: Float[Tensor, "picture feature"]) -> Float[Tensor, "picture channel"]:
        """Computes what is added to the vectors of a picture's prompts; the features are taken as they are."""
        shift: Tensor = self.leave(self.enter(features).relu())
        return shift
