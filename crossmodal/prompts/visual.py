"""How learned vectors enter an image tower: as further tokens, or added to those that there are."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..encoders.clip import ClipStem
from ..encoders.towers import Tower
from ..injection import Encoder
from .deep import inserted_between

VisualEntry = Callable[[Tower, Tensor, Sequence[Tensor]], Tensor]
"""`(tower, pictures, vectors of layer 0, 1, …) -> stream after the last block`; vectors are `(vector, channel)`."""


def appended_tokens(tower: Tower, pictures: Tensor, vectors: Sequence[Tensor]) -> Tensor:
    """Appends the first vectors behind CLIP's positions and replaces them before each later layer: MaPLe as published.

    They have no position of their own, but are normalised with the other tokens.

    Args:
        tower: CLIP's image tower.
        pictures: Its input.
        vectors: Of each layer.

    Raises:
        TypeError: If the tower has no place for tokens behind its positions.
    """
    stem = tower.encoder.stem
    if not isinstance(stem, ClipStem):
        raise TypeError(
            f"appended_tokens: the image tower's stem is a {type(stem).__name__}, which takes no further tokens: give "
            "added_to_tokens, or CLIP's image tower."
        )
    embedded = stem.embed(pictures)
    stream = stem.norm(torch.cat([embedded, vectors[0].expand(len(embedded), -1, -1)], dim=1))
    return tower.blocks(stream, inserted_between(vectors[1:], -len(vectors[0])))


def added_to_tokens(tower: Tower, pictures: Tensor, vectors: Sequence[Tensor]) -> Tensor:
    """Adds the mean of a layer's vectors to every token before it: for towers whose attention takes a fixed grid.

    Not published; it lets MaPLe run on towers with windows.

    Args:
        tower: Any image tower.
        pictures: Its input.
        vectors: Of each layer.
    """

    def between(index: int, stream: Tensor) -> Tensor:
        return stream + vectors[index].mean(0) if index < len(vectors) else stream

    return tower.blocks(tower.encoder.stem(pictures), between)


def entry_of(tower: Tower) -> VisualEntry:
    """Returns the published entry where the tower takes further tokens, else `added_to_tokens`."""
    return appended_tokens if isinstance(tower.encoder.stem, ClipStem) else added_to_tokens


def block_widths(encoder: Encoder) -> tuple[int, ...]:
    """Returns the width of the stream before every block."""
    return tuple(encoder.before(site.name).width for site in encoder.sites[1:] if site.part in ("attention", "block"))
