"""Evidence of where tokens lie: which of them change when a band of the picture is blotted out."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import torch
from torch import Tensor

from ...site import Site

BANDS = 4
"""Bands along each of the two dimensions of the input that are blotted out, one at a time."""

ALIKE, LOCAL = 0.7, 0.08
"""Least squared correlation of claimed and seen places; least spread of seen places that says anything, of the side."""

Testimony = Literal["agrees", "contradicts", "silent"]


def blotted(given: Tensor) -> Tensor | None:
    """Returns the first frame, then copies of it with one band blotted out: along the last but one dimension, the last.

    Args:
        given: Input of the model, `(frame, …, row, column)`.

    Returns:
        One frame and `2 · BANDS` copies; `None` where there is nothing to blot out: of whole numbers, on the meta
        device, or without two dimensions of some length beside the frames.
    """
    if given.is_meta or not given.is_floating_point() or given.ndim < 3 or min(given.shape[-2:]) < BANDS:
        return None
    frame, other = given[:1], given[:1] * -0.5 + 0.25
    copies = [frame]
    for dimension in (-2, -1):
        length = given.shape[dimension]
        band = torch.arange(length, device=given.device) * BANDS // length
        shape = [-1, 1] if dimension == -2 else [-1]
        copies += [torch.where((band == number).view(shape), other, frame) for number in range(BANDS)]
    return torch.cat(copies)


@dataclass(frozen=True)
class TokenPlaces:
    """Places that tokens were seen at.

    Attributes:
        seen: `(dimension, token)`: where along the last two dimensions of the input a token looks, in [0, 1].
        alive: `(token)`: whether it looks at the input at all; a class token behind the stem does not.
        picture: Whether the last dimensions of the input are rows and columns, not those of a spectrogram.
    """

    seen: Tensor
    alive: Tensor
    picture: bool

    @classmethod
    def of(cls, streams: Tensor, *, picture: bool) -> "TokenPlaces":
        """Finds the places from the streams `(frame, token, channel)` of `blotted`."""
        change = (streams[1:].double() - streams[:1].double()).square().sum(-1).unflatten(0, (2, BANDS))
        weight = change.sum(1)
        centres = (torch.arange(BANDS, device=streams.device) + 0.5) / BANDS
        seen = (change * centres[:, None]).sum(1) / weight.clamp(min=torch.finfo(weight.dtype).tiny)
        return cls(seen.cpu(), (weight > 0).all(0).cpu(), picture)

    def verdict(self, site: Site) -> Testimony:
        """Returns whether tokens look where a site claims that they lie.

        Rows follow the last but one dimension of a picture and columns the last; frequency and time of a spectrogram
        follow one each, whichever. Rows and columns of a spectrogram claim no place in it: it may be folded.
        """
        claimed = {axis: torch.tensor(places).double() for axis, places in site.axes.items() if len(set(places)) > 1}
        alive = self.alive[site.prefix :]
        if site.prefix and not alive.all() and self.alive[: site.prefix].all():
            return "contradicts"  # the tokens without a place are others than the leading ones
        named = {"row": 0, "column": 1}
        mapped = claimed.keys() <= named.keys()
        if not claimed or "token" in claimed or len(claimed) > 2 or mapped > self.picture or alive.sum() < 4:
            return "silent"
        seen = self.seen[:, site.prefix :][:, alive]
        if (seen.std(1) < LOCAL).any():
            return "silent"
        either = [dict(zip(claimed, order, strict=False)) for order in permutations((0, 1))]
        orders = [named] if mapped else either
        fits = any(
            all(_alike(places[alive], seen[order[axis]]) for axis, places in claimed.items()) for order in orders
        )
        return "agrees" if fits else "contradicts"


def no_places(at: int, site: Site) -> Testimony:
    """Says nothing about any site: there is no evidence."""
    return "silent"


Evidence = Callable[[int, Site], Testimony]
"""`evidence(number of the site, site with the axes that are claimed)`."""


def _alike(claimed: Tensor, seen: Tensor) -> bool:
    """Returns whether seen places grow with the claimed ones, along a line."""
    correlation = torch.corrcoef(torch.stack([claimed, seen]))[0, 1]
    return bool(correlation > 0 and correlation.square() >= ALIKE)
