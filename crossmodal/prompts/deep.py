"""MaPLe: learned vectors in both towers of an image-text model, layer by layer, tied by linear maps."""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..encoders.towers import TextEncoder
from ..shapes import shaped
from .layouts import at_end
from .sentences import Sentences
from .static import StaticPrompts


class DeepTokens(NamedTuple):
    """Prompts of both towers.

    Attributes:
        prompts: Embedded sentences with the first vectors, `(class, token, channel)`.
        text: Vectors that replace those of the text tower before block 1, 2, …; `(vector, channel)` each.
        visual: Vectors that are appended behind the stem's positions and, from the second on, replace these before
            block 1, 2, …; `(vector, visual_channel)` each.
    """

    prompts: Float[Tensor, "label token channel"]
    text: tuple[Tensor, ...]
    visual: tuple[Tensor, ...]


class DeepPrompts(StaticPrompts):
    r"""Learns vectors for the first layers of a text tower; linear maps of them are the prompts of the image tower.

    $V_0 = W_0 C$ of the vectors $C$ among the words, $V_i = W_i P_i$ of the vectors $P_i$ of layer $i$. Gradients of
    the picture reach the text's vectors through the $W_i$ alone. The maps of the layers start as copies of one.

    Shapes: embedded sentences `(class, token, channel)` → `DeepTokens`.
    Source: Khattak et al., *MaPLe: Multi-modal Prompt Learning*, CVPR 2023. Its code rounds some vectors to half
    precision on the way; this block does not.
    """

    def __init__(
        self, context: Float[Tensor, "vector channel"], sentences: Sentences, *, visual_width: int, depth: int = 9
    ):
        """Builds the block.

        Args:
            context: First vectors, shared by all classes.
            sentences: As `StaticPrompts` takes them; MaPLe's keep “of a” before the name.
            visual_width: Channels of the image tower's stream.
            depth: Layers with vectors, 1 for the first alone.

        Raises:
            ValueError: If `depth` is less than 1 or the vectors are not shared.
        """
        if depth < 1 or context.ndim != 2:
            raise ValueError(
                f"DeepPrompts: depth={depth} must be at least 1, and context of shape {tuple(context.shape)} must be "
                "(vector, channel), shared by all classes."
            )
        super().__init__(context, sentences, layout=at_end)
        vectors, width = context.shape
        self.project = nn.Linear(width, visual_width)
        layer = nn.Linear(width, visual_width)
        self.deep = nn.ParameterList(0.02 * torch.randn(vectors, width) for _ in range(depth - 1))
        self.deep_project = nn.ModuleList(copy.deepcopy(layer) for _ in range(depth - 1))

    @shaped
    def forward(self, embedded: Float[Tensor, "label token channel"]) -> DeepTokens:
        """Computes the prompts of both towers."""
        return DeepTokens(super().forward(embedded), tuple(self.deep), self.visual_tokens())

    def class_features(self, text: TextEncoder) -> Tensor:
        """Computes the features of all classes, `(class, feature)`, by the text tower."""
        ids = self.sentences.on(self.context.device)
        tokens = self(text.embed(ids))
        return text.encode(tokens.prompts, ids, between=inserted_between(tokens.text, 1))

    def visual_tokens(self) -> tuple[Tensor, ...]:
        """Computes the vectors of the image tower alone, as `DeepTokens.visual`."""
        later = (project(vectors) for project, vectors in zip(self.deep_project, self.deep, strict=True))
        return (self.project(self.context), *later)


def inserted_between(vectors: Sequence[Tensor], start: int) -> Callable[[int, Tensor], Tensor]:
    """Returns what replaces tokens of a stream before block 1, 2, …, as the towers' `between` takes it.

    From the block behind the last vectors on, the tokens travel as all others.

    Args:
        vectors: `(vector, channel)` each, from block 1 on.
        start: First token that is replaced; negative from the end.
    """

    def between(index: int, stream: Tensor) -> Tensor:
        if not 1 <= index <= len(vectors):
            return stream
        new = vectors[index - 1]
        at = start % stream.shape[1]
        return torch.cat([stream[:, :at], new.expand(len(stream), -1, -1), stream[:, at + len(new) :]], dim=1)

    return between
