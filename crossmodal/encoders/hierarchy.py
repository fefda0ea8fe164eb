"""The skeleton that hierarchical encoders share: stages of half-blocks with a merge between them, and their sites."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ..injection import Encoder
from ..site import Axes, Part, Site


@dataclass(frozen=True)
class Stage:
    """One stage: its place, the width and grid of its stream, its heads, and a drop-path rate per block."""

    index: int
    width: int
    heads: int
    grid: tuple[int, int]
    drop_paths: tuple[float, ...]


Half = Callable[[Stage, int], nn.Module]


def plan(
    name: str, grid: tuple[int, int], width: int, depths: Sequence[int], heads: Sequence[int], drop_path: float
) -> tuple[Stage, ...]:
    """The stages of an encoder: from one to the next the grid halves and the width doubles.

    Stochastic depth grows linearly over all blocks, from 0 to `drop_path`. Raises `ValueError`, in the name of the
    builder `name`, where depths and heads do not pair, the grid cannot be halved or `drop_path` is no
    probability.
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
    total, stages, first = sum(depths), [], 0
    for index, (depth, head) in enumerate(zip(depths, heads, strict=True)):
        rates = tuple(drop_path * block / max(total - 1, 1) for block in range(first, first + depth))
        stages.append(Stage(index, width * 2**index, head, (grid[0] >> index, grid[1] >> index), rates))
        first += depth
    return tuple(stages)


def hierarchy(
    stages: Sequence[Stage],
    *,
    stem: nn.Module,
    attention: Half,
    mlp: Half,
    merge: Callable[[Stage], nn.Module],
    axes: Callable[[int, int], Axes],
) -> Encoder:
    """Builds the sections of `stages` and the sites between them; the head is the final LayerNorm.

    - `attention`, `mlp`: (stage, block index in it) → the half-block.
    - `merge`: stage → the section at its end; the last stage has none.
    - `axes`: rows, columns → what the tokens of such a grid mean.
    """
    sections: dict[str, nn.Module] = {}
    sites = [Site("stem", stages[0].width, axes(*stages[0].grid), part="stem")]
    halves: tuple[tuple[Part, Half], ...] = (("attention", attention), ("mlp", mlp))
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
    """Swin's initialisation: linear weights from a truncated N(0, 0.02²), their biases zero. For `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
