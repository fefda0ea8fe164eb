"""Controls: replace the guide of an adapter, so that an experiment shows how much the guide contributed.

Each takes the factory of an adapter and returns one whose adapters have the same parts, and the same number of
parameters wherever both streams are of one width. A recipe takes them by its keyword `guide`. `FrozenMap` is the
control of a single map, and stands in the place of its guidance.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped
from ..site import Site
from .adapter import Adapted, AdapterFactory

Control = Callable[[AdapterFactory], AdapterFactory]
"""From the factory of an adapter to the factory of the same adapter under a control."""


def true_guide(factory: AdapterFactory) -> AdapterFactory:
    """Returns `factory` as it is: the adapters read the guide that belongs to their stream."""
    return factory


def shuffled(factory: AdapterFactory, *, segments: int = 10) -> AdapterFactory:
    """Guides every clip by the clip before it in the batch (the first by the last), segment by segment.

    The forward raises `ValueError` where a batch does not hold at least two whole clips.

    Args:
        factory: The factory of the adapters.
        segments: Segments of a clip; frames are clip × segment. A system that is given clips sets it to theirs.
    """

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, guide), of_another_clip, clip_segments=segments)

    return build


def own_stream(factory: AdapterFactory) -> AdapterFactory:
    """Guides every stream by itself: the adapter is built for the stream's site on both sides."""

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, stream), of_itself)

    return build


def no_guide(factory: AdapterFactory) -> AdapterFactory:
    """Replaces the guide by zeros: adapters learn without it; layers that read the guide alone stay untrained."""

    def build(stream: Site, guide: Site) -> nn.Module:
        return Redirected(factory(stream, guide), of_nothing)

    return build


class FrozenMap(nn.Module):
    """Returns a constant map, in place of a guidance: what did the guidance's choice contribute?

    The factor keeps the size of an undecided guidance, 0.5, and blocks that read the stream scaled by this map still
    do; left out (`None`), the map would be gone from both. It has no parameters.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, token, 1)`, whichever map it
    replaces: a constant multiplies alike.
    """

    def __init__(self, channels: int, cue_channels: int, *, value: float = 0.5, bands: Sequence[int] | None = None):
        """Builds the map.

        Args:
            channels: Accepted as by every factory of a guidance, and not used.
            cue_channels: The same.
            value: Of the map, in [0, 1].
            bands: Accepted, and not used.

        Raises:
            ValueError: If `value` lies outside [0, 1].
        """
        super().__init__()
        if not 0 <= value <= 1:
            raise ValueError(f"FrozenMap: value={value} must lie in [0, 1], as maps do.")
        self.value = value

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame token 1"]:
        """Returns the map; it reads neither stream nor cue."""
        return stream.new_full((1, 1, 1), self.value).expand(*stream.shape[:2], 1)  # one number in memory

    def extra_repr(self) -> str:
        """Shows the value."""
        return f"value={self.value:.4g}"


class Redirected(nn.Module):
    """Runs an adapter on `source(stream, guide)` in place of the guide. Shapes: as the adapter's.

    Attributes:
        clip_segments: Segments of a clip, where the source must know them; `None` where it reads frame by frame.
    """

    def __init__(self, adapter: nn.Module, source: Callable[..., Tensor], *, clip_segments: int | None = None):
        """Takes the adapter.

        Args:
            adapter: `(stream, guide) -> Adapted`.
            source: Makes the guide that it reads instead, from stream and guide, and `segments=` where they are given.
            clip_segments: Segments of a clip.
        """
        super().__init__()
        self.adapter, self.source, self.clip_segments = adapter, source, clip_segments

    def forward(self, stream: Tensor, guide: Tensor) -> Adapted:
        """Computes the adapter's result for the stream and the replaced guide."""
        of_clips = {} if self.clip_segments is None else {"segments": self.clip_segments}
        adapted: Adapted = self.adapter(stream, self.source(stream, guide, **of_clips))
        return adapted

    def extra_repr(self) -> str:
        """Shows what takes the guide's place."""
        return f"guide={getattr(self.source, '__name__', type(self.source).__name__)}"


def tell_segments(module: nn.Module, segments: int) -> None:
    """Tells the controls in a module how long the clips are that it is about to be given, in place.

    Args:
        module: Holds adapters.
        segments: Segments of a clip.
    """
    for part in module.modules():
        if isinstance(part, Redirected) and part.clip_segments not in (None, segments):
            part.clip_segments = segments


def of_another_clip(stream: Tensor, guide: Tensor, *, segments: int) -> Tensor:
    """Returns the guide, shifted by one clip."""
    clips, rest = divmod(guide.shape[0], segments)
    if (rest or clips < 2) and not guide.is_meta:  # a probe without data has no clips
        raise ValueError(
            f"shuffled: guide has {guide.shape[0]} frames, which is not two or more clips of segments={segments}: "
            f"there is no other clip to be guided by; give batches of several whole clips."
        )
    return guide.roll(segments, 0)


def of_itself(stream: Tensor, guide: Tensor) -> Tensor:
    """Returns the stream."""
    return stream


def of_nothing(stream: Tensor, guide: Tensor) -> Tensor:
    """Returns zeros."""
    return torch.zeros_like(guide)
