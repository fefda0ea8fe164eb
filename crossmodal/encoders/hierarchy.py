"""Shared by hierarchical encoders: stages of half-blocks with patch merging between them, and their sites."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ..injection import Encoder
from ..site import Axes, Part, Site


@dataclass(frozen=True)
class Stage:
    """One stage of an encoder.

    Attributes:
        index: Its number, from 0.
        width: Channels of the stream.
        heads: Attention heads.
        grid: Rows and columns of the tokens.
        drop_paths: Drop-path rate of each block.
    """

    index: int
    width: int
    heads: int
    grid: tuple[int, int]
    drop_paths: tuple[float, ...]


HalfFactory = Callable[[Stage, int], nn.Module]
"""`(stage, index of the block in it) -> half-block`."""


def plan_stages(
    name: str, grid: tuple[int, int], width: int, depths: Sequence[int], heads: Sequence[int], drop_path: float
) -> tuple[Stage, ...]:
    """Plans the stages of an encoder: from one to the next the grid halves and the width doubles.

    Args:
        name: The builder that errors name.
        grid: Rows and columns of the tokens in the first stage.
        width: Channels in the first stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        drop_path: Drop-path rate of the last block; rates grow linearly from 0 at the first.

    Raises:
        ValueError: If depths and heads differ in length, the grid cannot be halved, or `drop_path` is no probability.
    """
    if not depths or len(depths) != len(heads):
        raise ValueError(f"{name}: depths={tuple(depths)} and heads={tuple(heads)} must name the same stages.")
    if not 0 <= drop_path < 1:
        raise ValueError(f"{name}: drop_path={drop_path} must lie in [0, 1).")
    halvings = 2 ** (len(depths) - 1)
    if any(side % halvings for side in grid):
        raise ValueError(
            f"{name}: {len(depths)} stages halve the grid {len(depths) - 1} times, so {halvings} must divide both "
            f"sides of the first grid={grid}: take another size, another patch, or fewer depths."
        )
    if width < 1 or min(heads) < 1 or min(depths) < 0:
        raise ValueError(
            f"{name}: width={width} and heads={tuple(heads)} must be at least 1, depths={tuple(depths)} at least 0."
        )
    total, stages, first = sum(depths), [], 0
    for index, (depth, head) in enumerate(zip(depths, heads, strict=True)):
        # as published: the rate grows with depth, from zero in the first block to `drop_path` in the last
        rates = tuple(drop_path * block / max(total - 1, 1) for block in range(first, first + depth))
        stages.append(Stage(index, width * 2**index, head, (grid[0] >> index, grid[1] >> index), rates))
        first += depth
    return tuple(stages)


def build_hierarchy(
    stages: Sequence[Stage],
    *,
    stem: nn.Module,
    attention: HalfFactory,
    mlp: HalfFactory,
    merge: Callable[[Stage], nn.Module],
    axes: Callable[[int, int], Axes],
) -> Encoder:
    """Builds an encoder from stages: sections, the sites between them, and a final LayerNorm as head.

    Args:
        stages: The stages, as `plan_stages` returns them.
        stem: Input → stream of the first stage.
        attention: Builds the attention half of a block.
        mlp: Builds the MLP half of a block.
        merge: Builds the section at the end of a stage; the last stage has none.
        axes: `(rows, columns)` → meaning of the tokens of such a grid.
    """
    sections: dict[str, nn.Module] = {}
    sites = [Site("stem", stages[0].width, axes(*stages[0].grid), part="stem")]
    halves: tuple[tuple[Part, HalfFactory], ...] = (("attention", attention), ("mlp", mlp))
    for stage, after in zip(stages, (*stages[1:], None), strict=True):
        here = axes(*stage.grid)
        for block in range(len(stage.drop_paths)):
            for part, build in halves:
                name = f"stages.{stage.index}.{block}.{part}"
                sections[name] = build(stage, block)
                sites.append(Site(name, stage.width, here, stage.index, block, part))
        if after is not None:
            name = f"stages.{stage.index}.merge"
            sections[name] = merge(stage)
            sites.append(Site(name, after.width, axes(*after.grid), stage.index, None, "merge"))
    return Encoder(stem, sections, nn.LayerNorm(stages[-1].width), sites)


def init_linear(module: nn.Module) -> None:
    """Initialises a linear layer as Swin does: weights from a truncated N(0, 0.02²), bias zero. For `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
