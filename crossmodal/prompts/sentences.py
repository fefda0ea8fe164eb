"""Sentences with room for learned vectors, as token ids: one per class name."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from ..encoders.towers import Tokenizer


class Sentences(NamedTuple):
    """Token ids of a sentence per class: start, placeholders, words with the class name, end, padding.

    Plain numbers, so that a model on the meta device, a copy and a pickle keep them.

    Attributes:
        ids: A row per class, all of one length. The end has the largest id of a row, as in CLIP.
        names: Tokens of the words before and of each class name: where a layout may put vectors behind it.
        context: Placeholders behind the start.
    """

    ids: tuple[tuple[int, ...], ...]
    names: tuple[int, ...]
    context: int

    def on(self, device: torch.device) -> Int64[Tensor, "text position"]:
        """Returns the ids as a tensor."""
        return torch.tensor(self.ids, device=device)


def sentences(
    tokenizer: Tokenizer, names: Sequence[str], *, context: int, before: str = "", after: str = "."
) -> Sentences:
    """Builds `[start] (placeholders) before name after [end]` for every class name; underscores become spaces.

    What lies behind the longest sentence is left out: a causal text tower hides it from every end.

    Args:
        tokenizer: As of the text tower.
        names: Class names.
        context: Placeholders; learned vectors take their places.
        before: Fixed words between the placeholders and the name; MaPLe's “of a”.
        after: What follows the name without a space.

    Raises:
        ValueError: If there is no class name, or an empty one.
    """
    spoken = [name.replace("_", " ").strip() for name in names]
    if not spoken or not all(spoken):
        raise ValueError(f"sentences: names={tuple(names)} must hold one class name at least, and none that is empty.")
    led = [f"{before} {name}".strip() for name in spoken]
    rows = tokenizer([f"{words}{after}" for words in led])
    ends = rows.argmax(-1)
    # a word of the sentence itself: it is no end and no padding, and its embedding is replaced
    full = torch.cat([rows[:, :1], rows[:, 1:2].expand(-1, context), rows[:, 1 : int(ends.max()) + 1]], dim=1)
    lengths = tuple(len(tokenizer.encode(words)) for words in led)
    return Sentences(tuple(map(tuple, full.tolist())), lengths, context)
