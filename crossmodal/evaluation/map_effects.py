"""Effects of maps: how far residuals, final streams and the score move when a map is replaced by another.

`python -m crossmodal.recipes.world.maps` writes them for every coupling; `crossmodal TASK look` prints them of a run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from crossmodal.adapters import Modulation
from crossmodal.data.extras import need
from crossmodal.injection.observing.find_adapters import find_adapters
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Task

if TYPE_CHECKING:
    from pandas import DataFrame


def at_its_mean(map: Tensor) -> Tensor:
    """Returns a map without choice: its own mean everywhere."""
    return map.mean().expand_as(map)


def shuffled_map(map: Tensor) -> Tensor:
    """Returns the same values in another order, over frames, tokens and channels alike."""
    order = torch.randperm(map.numel(), generator=torch.Generator().manual_seed(0)).to(map.device)
    return map.flatten()[order].view_as(map)


def random_map(map: Tensor) -> Tensor:
    """Returns values drawn evenly from [0, 1]."""
    return torch.rand(map.shape, generator=torch.Generator().manual_seed(0)).to(map)


MapReplacement = Callable[[Tensor], Tensor]
REPLACEMENTS: Mapping[str, MapReplacement] = {"mean": at_its_mean, "shuffled": shuffled_map, "random": random_map}
"""What takes the place of a map → how it is made of it."""


class MapEffect(NamedTuple):
    """Effect of replacing one map everywhere in a system.

    Attributes:
        map: Name of the map.
        instead: Key of `REPLACEMENTS`.
        residual: Median over adapters of ‖residual′ − residual‖ / ‖residual‖, on the same stream and guide.
        streams: Final stream → the same of it.
        score: The task's monitor with the map, less that without; `None` where nothing was scored.
    """

    map: str
    instead: str
    residual: float
    streams: dict[str, float]
    score: float | None = None


def map_blocks(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Finds the guidance blocks of all modulations of a model, by the names of their maps."""
    found: dict[str, list[nn.Module]] = {}
    for module in model.modules():
        if isinstance(module, Modulation):
            for name in module.names:
                found.setdefault(name, []).append(module.get_submodule(name))
    return found


@contextmanager
def replaced(blocks: Iterable[nn.Module], instead: MapReplacement) -> Iterator[None]:
    """Replaces what guidance blocks return while the block runs."""
    with ExitStack() as stack:
        for block in blocks:
            stack.callback(block.register_forward_hook(lambda module, given, map: instead(map)).remove)
        yield


@torch.no_grad()
def map_effects(
    system: CoupledSystem, task: Task | None, batches: Sequence[Any], *, scored: bool = True
) -> list[MapEffect]:
    """Replaces every map of a system in turn, by its mean, shuffled and at random.

    Args:
        system: System in evaluation mode; its gates must have opened, or every residual is zero.
        task: Its task; may be `None` where nothing is scored.
        batches: Batches of the task; residuals and streams are measured on the first.
        scored: Whether the score is computed too.

    Returns:
        One effect for every map and replacement; none where no adapter has a modulation.
    """
    first = batches[0]
    usual = score(system, task, batches) if scored and task else None
    streams = system.run(first.frames, first.wave).streams
    found = []
    for name, blocks in map_blocks(system.coupled).items():
        for label, instead in REPLACEMENTS.items():
            residual = residual_moves(system, first, blocks, instead)
            with replaced(blocks, instead):
                others = system.run(first.frames, first.wave).streams
                without = score(system, task, batches) if scored and task else None
            moves = {key: relative_move(others[key], stream) for key, stream in streams.items()}
            lost = None if usual is None or without is None else usual - without
            found.append(MapEffect(name, label, residual, moves, lost))
    return found


def residual_moves(system: CoupledSystem, batch: Any, blocks: Sequence[nn.Module], instead: MapReplacement) -> float:
    """Returns the median, over the adapters that hold some of the blocks, of how far their residual moves."""
    moves: list[float] = []

    def again(adapter: nn.Module, given: Any, output: Any, *, own: list[nn.Module]) -> None:
        with replaced(own, instead):
            other, _ = adapter.forward(*given)  # not through the hooks: this one would call itself
        moves.append(relative_move(other, output[0]))

    with ExitStack() as stack:
        for adapter in find_adapters(system.coupled).values():
            own = [module for module in adapter.modules() if any(module is block for block in blocks)]
            if own:
                stack.callback(adapter.register_forward_hook(partial(again, own=own)).remove)
        system.run(batch.frames, batch.wave)
    return median(moves)


def relative_move(other: Tensor, usual: Tensor) -> float:
    """Returns ‖other − usual‖ / ‖usual‖; zero where both are zero."""
    length = torch.linalg.vector_norm(usual).clamp(min=torch.finfo(usual.dtype).tiny)
    return (torch.linalg.vector_norm(other - usual) / length).item()


def score(system: CoupledSystem, task: Task, batches: Iterable[Any]) -> float:
    """Returns the task's monitor over some batches."""
    scores: Any = task.scores()
    for batch in batches:
        scores.update(system.predict(system(batch)), batch)
    return float(scores.compute()[task.monitor])


def effects_frame(effects: Sequence[MapEffect]) -> "DataFrame":
    """Returns a table of effects: shares, and of the score what is lost."""
    pandas = need("pandas", "a table of what the maps do")
    rows = [
        {
            "map": effect.map,
            "instead": effect.instead,
            "residual moves": effect.residual,
            **{f"{name} stream moves": move for name, move in effect.streams.items()},
            **({} if effect.score is None else {"score lost": effect.score}),
        }
        for effect in effects
    ]
    frame: DataFrame = pandas.DataFrame(rows)
    return frame


def effects_text(effects: Sequence[MapEffect], *, markdown: bool = False) -> str:
    """Returns a table of effects in words, in percent; of scores in points lost.

    Args:
        effects: What was measured.
        markdown: Formats it for a page, not for a terminal.
    """
    frame = effects_frame(effects)
    for column in frame.columns[2:]:
        frame[column] = [points(value) if column == "score lost" else in_percent(value) for value in frame[column]]
    if markdown:
        need("tabulate", "a table in Markdown")
        return str(frame.to_markdown(index=False, disable_numparse=True))
    return str(frame.to_string(index=False))


def in_percent(share: float) -> str:
    """Formats a share in percent, with two digits however small it is."""
    return f"{100 * share:.2g} %"


def points(score: float) -> str:
    """Formats a difference of scores in points."""
    return f"{100 * score:+.1f}"
