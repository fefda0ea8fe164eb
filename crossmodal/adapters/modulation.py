"""Modulation: where maps are blended and applied, `stream * (base + Σ weight · map)`."""

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import NamedTuple, cast

from jaxtyping import Float
from torch import Tensor, nn

from ..named_draws import drawn, named_draws
from ..plain import is_plain
from ..shapes import shaped
from .adapter import Map
from .factor import Factor, factor_of, times

GuidanceFactory = Callable[[int, int], nn.Module]
"""`factory(channels, cue_channels)`: a guidance class, or a partial of it."""


class Modulated(NamedTuple):
    """Result of a modulation: the modulated stream, and the maps that it was multiplied by."""

    stream: Float[Tensor, "frame token channel"]
    maps: dict[str, Map]


class Modulation(nn.Module):
    r"""Blends named maps into one factor and applies it: $y = x \odot (b + \sum_i w_i M_i)$.

    `Modulation({"channel": (ChannelGuidance(64, 64), 0.3), "spatial": (SpatialGuidance(64, 64), 0.05)}, base=1.0)`.
    A block whose `sees` names earlier maps is also given `scale=`, the product of (1 + map) of those that exist, and
    reads the stream times that.

    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → the modulated stream and the maps.
    Source: DG-SCT. Paper form: base 1. Released form: base 1 − α, passed by the recipe.
    """

    def __init__(self, guidance: Mapping[str, tuple[nn.Module, float | nn.Parameter]], *, base: float = 1.0):
        """Builds the block.

        Args:
            guidance: Name → (block, weight); a weight is a number, or a parameter to be learned.
            base: The factor where all maps are zero.
        """
        super().__init__()
        self.base = base
        self.names = tuple(guidance)
        for name, (block, weight) in guidance.items():
            self.add_module(name, block)
            setattr(self, f"{name}_weight", weight)  # a float stays a number, a parameter is registered

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        target: Float[Tensor, "frame token channel"] | None = None,
    ) -> Modulated:
        """Computes the stream times the blended factor; no block reads it modulated unless it asks to.

        Args:
            stream: What the blocks read.
            cue: The guide, aligned and pooled over its tokens.
            target: What is multiplied; by default the stream itself.
        """
        factor, maps = self.factor(stream, cue)
        return Modulated(times(stream if target is None else target, [factor]), maps)

    def factor(self, stream: Tensor, cue: Tensor) -> tuple[Factor, dict[str, Tensor]]:
        """Computes what `forward` multiplies by, and the maps it consists of; arguments as of `forward`."""
        maps: dict[str, Tensor] = {}
        for name in self.names:
            guidance = self.get_submodule(name)
            maps[name] = guidance(stream, cue, **seen(guidance, maps))
        return factor_of(self.base, [getattr(self, f"{name}_weight") * maps[name] for name in self.names]), maps

    def extra_repr(self) -> str:
        """Shows base and weights."""
        weights = [f"{name}={shown(getattr(self, f'{name}_weight'))}" for name in self.names]
        return ", ".join([f"base={self.base:.4g}", *weights])


def shown(weight: float | Tensor) -> str:
    """Formats a weight in four digits; of a tensor without a single value, its shape."""
    if isinstance(weight, Tensor) and (weight.is_meta or weight.numel() != 1):
        return str(tuple(weight.shape))
    return f"{weight.item() if isinstance(weight, Tensor) else weight:.4g}"


def modulation_of(
    width: int, guidance: Mapping[str, tuple[GuidanceFactory | None, float | nn.Parameter]], *, base: float = 1.0
) -> Modulation:
    """Builds a modulation of a stream whose cue has its width, from factories; one that is `None` is left out whole.

    Args:
        width: Channels of stream and cue.
        guidance: Name → (factory called with both widths, weight).
        base: The factor where all maps are zero; a weight that belongs to it is the caller's to leave out.
    """
    present = {name: (factory, weight) for name, (factory, weight) in guidance.items() if factory}
    with named_draws("modulation"):  # so that a block is drawn alike beside any others
        blocks = {name: (drawn(name, factory, width, width), weight) for name, (factory, weight) in present.items()}
    return Modulation(blocks, base=base)


class Modulations(nn.Module):
    """Applies modulations one after another; the paper's form is (channel, spatial), then (temporal).

    Shapes: as `Modulation`; the maps of all of them, under names that must differ.
    """

    def __init__(self, *modulations: Modulation):
        """Takes the modulations.

        Args:
            modulations: In order.

        Raises:
            ValueError: If two of them name a map alike.
        """
        super().__init__()
        names = [name for modulation in modulations for name in modulation.names]
        if len(set(names)) != len(names):
            raise ValueError(f"Modulations: map names must differ between modulations, got {names}.")
        self.stages = nn.ModuleList(modulations)

    @shaped
    def forward(
        self,
        stream: Float[Tensor, "frame token channel"],
        cue: Float[Tensor, "frame cue_channel"],
        *,
        target: Float[Tensor, "frame token channel"] | None = None,
    ) -> Modulated:
        """Computes the stream after every modulation in turn.

        Args:
            stream: What the blocks read: each sees it as the modulations before its own left it.
            cue: The guide, aligned and pooled over its tokens.
            target: What is multiplied in turn, while all blocks read the stream as it came; by default the stream.
        """
        if target is None or not all(is_plain(modulation, Modulation) for modulation in self.stages):
            return self._in_turn(stream, cue, target)
        factors: list[Factor] = []
        maps: dict[str, Tensor] = {}
        for modulation in cast(Iterable[Modulation], self.stages):
            factor, new = modulation.factor(stream, cue)
            factors.append(factor)
            maps.update(new)
        return Modulated(times(target, factors), maps)

    def _in_turn(self, stream: Tensor, cue: Tensor, target: Tensor | None) -> Modulated:
        """Computes the same by calling one modulation after another."""
        maps: dict[str, Tensor] = {}
        for modulation in self.stages:
            if target is None:
                stream, new = modulation(stream, cue)
            else:
                target, new = modulation(stream, cue, target=target)
            maps.update(new)
        return Modulated(stream if target is None else target, maps)


def seen(guidance: nn.Module, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns keywords of a block beside stream and cue: `scale`, where earlier maps exist that its `sees` names."""
    names: tuple[str, ...] = getattr(guidance, "sees", ())
    scales = [1 + maps[name] for name in names if name in maps]
    # from the first tensor on: 1 times it would be one large tensor more
    return {"scale": prod(scales[1:], start=scales[0])} if scales else {}
