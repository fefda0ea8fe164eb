"""CoOp: learned vectors among the words of a class name, the same for every picture."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..encoders.towers import TextEncoder, Tokenizer
from ..lazy_constant import LazyConstant
from ..shapes import check_width, shaped
from .layouts import PromptLayout, at_end, order_table, prompt_token_order
from .sentences import Sentences

ContextFactory = Callable[[TextEncoder, Tokenizer, int], Tensor]
"""`(text tower, tokenizer, classes) -> vectors` that a prompt learner starts from."""


class PromptVectors(nn.Module):
    """Base of prompt learners: vectors, and their places among the words of every class."""

    def __init__(
        self,
        context: Float[Tensor, "*classes vector channel"],
        sentences: Sentences,
        *,
        layout: PromptLayout = at_end,
    ):
        """Builds the block.

        Args:
            context: Vectors to start from: `(vector, channel)` for all classes, `(class, vector, channel)` for each.
            sentences: With as many placeholders.
            layout: Where the vectors stand: `at_end`, `in_middle` or `at_front`, by the place of the class name.

        Raises:
            ValueError: If context and sentences do not fit each other.
        """
        super().__init__()
        self.context, self.layout = nn.Parameter(context.clone()), layout
        self.speak_of(sentences)

    def speak_of(self, sentences: Sentences) -> None:
        """Puts the same vectors among the words of other classes.

        Args:
            sentences: With as many placeholders as there are vectors.

        Raises:
            ValueError: If they have another number of placeholders, or the vectors belong to other classes.
        """
        vectors, classes = self.context.shape[-2], len(sentences.ids)
        if sentences.context != vectors:
            raise ValueError(
                f"{type(self).__name__}: sentences have {sentences.context} placeholders, but context has {vectors} "
                "vectors: build them with the same number."
            )
        if self.context.ndim == 3 and len(self.context) != classes:
            raise ValueError(
                f"{type(self).__name__}: context holds vectors of {len(self.context)} classes, but there are {classes} "
                "sentences: vectors of classes of their own do not take others; share them (shared_context)."
            )
        self.sentences = sentences
        self.order = LazyConstant(order_table, prompt_token_order(sentences, self.layout))

    def inserted(self, embedded: Tensor) -> Tensor:
        """Returns embedded sentences `(class, token, channel)` with the vectors in their places."""
        check_width(self, "embedded", embedded, self.context.shape[-1])
        pool = torch.cat([embedded, self.context.expand(len(embedded), -1, -1)], dim=1)
        return torch.take_along_dim(pool, self.order.on(pool.device), dim=1)

    def extra_repr(self) -> str:
        """Shows the numbers."""
        return f"context={tuple(self.context.shape)}, classes={len(self.sentences.ids)}"


class StaticPrompts(PromptVectors):
    r"""Puts learned vectors among the embedded words of every class: $[s, v_1, \dots, v_n, \text{name}, \text{end}]$.

    Shapes: embedded sentences `(class, token, channel)` → prompts of the same shape.
    Source: Zhou et al., *Learning to Prompt for Vision-Language Models*, IJCV 2022 (CoOp).
    """

    @shaped
    def forward(self, embedded: Float[Tensor, "label token channel"]) -> Float[Tensor, "label token channel"]:
        """Computes the prompts.

        Args:
            embedded: Embeddings of `sentences`; what stands at the placeholders is not read.
        """
        return self.inserted(embedded)

    def class_features(self, text: TextEncoder) -> Tensor:
        """Computes the features of all classes, `(class, feature)`, by the text tower."""
        ids = self.sentences.on(self.context.device)
        return text.encode(self(text.embed(ids)), ids)


def shared_context(text: TextEncoder, tokenizer: Tokenizer, classes: int, *, length: int = 16) -> Tensor:
    """Draws vectors that all classes share, N(0, 0.02).

    Args:
        text: Text tower.
        tokenizer: Not used.
        classes: Not used.
        length: Vectors.
    """
    return 0.02 * torch.randn(length, text.width)


def context_per_class(text: TextEncoder, tokenizer: Tokenizer, classes: int, *, length: int = 16) -> Tensor:
    """Draws vectors of every class's own, N(0, 0.02).

    Args:
        text: Text tower.
        tokenizer: Not used.
        classes: Number of classes.
        length: Vectors of a class.
    """
    return 0.02 * torch.randn(classes, length, text.width)


def context_from_words(
    text: TextEncoder, tokenizer: Tokenizer, classes: int, *, words: str = "a photo of a", length: int | None = None
) -> Tensor:
    """Returns the embeddings of words, which set the number of vectors: an untrained learner equals the plain prompt.

    Args:
        text: Text tower.
        tokenizer: Of the text tower.
        classes: Not used.
        words: Their embeddings.
        length: Takes the first so many alone; MaPLe's two of “a photo of a”.

    Raises:
        ValueError: If there are no words, or fewer than `length`.
    """
    ids: Sequence[int] = tokenizer.encode(words)[:length]
    if not ids or (length is not None and len(ids) < length):
        raise ValueError(f"context_from_words: words={words!r} have {len(ids)} tokens, expected {length or 'some'}.")
    device = next(text.parameters()).device if isinstance(text, nn.Module) else None
    return text.embed(torch.tensor([ids], device=device))[0].detach().clone()
