"""Controls: what an adapter is given in place of its guide, so that an experiment shows what the guide was worth.

Each takes the factory of an adapter and returns one whose adapters have the same parts, and the same number of
parameters wherever both streams are of one width. A recipe takes them by its keyword `guide`.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ..site import Site
from .adapter import Adapted, AdapterFactory

Control = Callable[[AdapterFactory], AdapterFactory]
"""From the factory of an adapter to the factory of the same adapter under a control."""


def true_guide(factory: AdapterFactory) -> AdapterFactory:
    """No control: the adapters read the guide that belongs to their stream."""
    return factory


def shuffled(factory: AdapterFactory, *, segments: int = 10) -> AdapterFactory:
    """The placebo: every clip is guided by the clip before it in the batch (the first by the last), second by second.

    - `segments`: of a clip; frames are clip × segment.

    The forward raises `ValueError` where a batch does not hold at least two whole clips.
    """

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, guide), partial(of_another_clip, segments=segments))

    return build


def own_stream(factory: AdapterFactory) -> AdapterFactory:
    """Every stream is guided by itself: the adapter is built for the stream's site on both sides."""

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, stream), of_itself)

    return build


def no_guide(factory: AdapterFactory) -> AdapterFactory:
    """Zeros in place of the guide: the adapters learn, and hear nothing. What reads the guide alone stays untrained."""

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, guide), of_nothing)

    return build


class Redirected(nn.Module):
    """An adapter whose guide is replaced by `source(stream, guide)`. Shapes: as the adapter's."""

    def __init__(self, adapter: nn.Module, source: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.adapter, self.source = adapter, source

    def forward(self, stream: Tensor, guide: Tensor) -> Adapted:
        """What the adapter makes of the stream and the replaced guide."""
        adapted: Adapted = self.adapter(stream, self.source(stream, guide))
        return adapted

    def extra_repr(self) -> str:
        source = self.source.func if isinstance(self.source, partial) else self.source
        return f"guide={getattr(source, '__name__', type(source).__name__)}"


def of_another_clip(stream: Tensor, guide: Tensor, *, segments: int) -> Tensor:
    """The guide, moved on by one clip."""
    clips, rest = divmod(len(guide), segments)
    if (rest or clips < 2) and not guide.is_meta:  # a probe without data has no clips
        raise ValueError(
            f"shuffled: guide has {len(guide)} frames, which is not two or more clips of segments={segments}: there "
            f"is no other clip to be guided by; give batches of several whole clips."
        )
    return guide.roll(segments, 0)


def of_itself(stream: Tensor, guide: Tensor) -> Tensor:
    """The stream."""
    return stream


def of_nothing(stream: Tensor, guide: Tensor) -> Tensor:
    """Zeros."""
    return torch.zeros_like(guide)
