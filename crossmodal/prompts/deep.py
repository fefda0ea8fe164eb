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
from .static import PromptVectors


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


class DeepPrompts(PromptVectors):
    r"""Learns vectors for the first layers of a text tower; linear maps of them are the prompts of the image tower.

    $V_0 = W_0 C$ of the vectors $C$ among the words, $V_i = W_i P_i$ of the vectors $P_i$ of layer $i$. Gradients by
    the picture reach the text's vectors through the $W_i$ alone. The maps of layers of one width start alike.

    Shapes: embedded sentences `(class, token, channel)` → `DeepTokens`.
    Source: Khattak et al., *MaPLe: Multi-modal Prompt Learning*, CVPR 2023. Its code rounds some vectors to half
    precision on the way; this block does not.
    """

    def __init__(self, context: Float[Tensor, "vector channel"], sentences: Sentences, *, visual_widths: Sequence[int]):
        """Builds the block.

        Args:
            context: First vectors, shared by all classes.
            sentences: As `StaticPrompts` takes them; MaPLe's keep “of a” before the name.
            visual_widths: Channels of the image tower's stream before every layer that gets vectors; MaPLe's nine.

        Raises:
            ValueError: If there is no such layer or the vectors are not shared.
        """
        if not visual_widths or context.ndim != 2:
            raise ValueError(
                f"DeepPrompts: visual_widths={tuple(visual_widths)} must name one layer at least, and context of shape "
                f"{tuple(context.shape)} must be (vector, channel), shared by all classes."
            )
        super().__init__(context, sentences, layout=at_end)
        vectors, width = context.shape
        first, *later = visual_widths
        self.project = nn.Linear(width, first)
        layers = {wide: nn.Linear(width, wide) for wide in dict.fromkeys(later)}
        self.deep = nn.ParameterList(0.02 * torch.randn(vectors, width) for _ in later)
        self.deep_project = nn.ModuleList(copy.deepcopy(layers[wide]) for wide in later)

    @shaped
    def forward(self, embedded: Float[Tensor, "label token channel"]) -> DeepTokens:
        """Computes the prompts of both towers."""
        return DeepTokens(self.inserted(embedded), tuple(self.deep), self.visual_tokens())

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
        return torch.cat([stream[:, :at], new.expand(stream.shape[0], -1, -1), stream[:, at + len(new) :]], dim=1)

    return between
