"""What becomes of options that a run which resumes is given anew: heeded, told, or refused where nothing reads them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .checkpoint_io import CHECKPOINTS, LAST
from .choice import nested
from .run_folder import ADAPTERS
from .stages import FOLDER

TOLD = ("seed", "system", "data", "model", "encoders")
"""Options that are heeded and make of a run another one."""
SPEED = ("data.batch_size", "data.workers")
"""Options among them that change no item."""
LENGTH = (
    *(f"trainer.max_{name}" for name in ("epochs", "steps")),
    *(f"trainer.{name}" for name in ("accumulate_grad_batches", "limit_train_batches", "overfit_batches")),
    *(f"trainer.{name}" for name in ("devices", "num_nodes")),
    *(f"data.{name}" for name in ("batch_size", "clips")),
)
"""Options by which a training gets longer or shorter."""


class Changed(NamedTuple):
    """An option that is no longer what it was.

    Attributes:
        name: Its dotted name.
        before: Its value when the run was begun.
        now: Its value now.
    """

    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"--{self.name} {self.now} ({'nothing' if self.before in ('', None) else self.before} before)"


def changed_options(before: Mapping[str, Any], now: Mapping[str, Any], at: str = "") -> Iterator[Changed]:
    """Yields every option that differs, of nested ones the innermost.

    Args:
        before: Options that the run was begun with, as its file holds them. One that it lacks is of a later version:
            its default is what the run had.
        now: Options as they are.
        at: Dotted name of where both lie.
    """
    for name, old in before.items():
        new, dotted = now.get(name), f"{at}.{name}" if at else name
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from changed_options(old, new, dotted)
        elif old != new:
            yield Changed(dotted, old, new)


def told_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns a sentence where a run goes on as another one: on other data, with another model or seed.

    Args:
        before: Options that the run was begun with.
        now: Options as they are.
    """
    found = changed_options({name: before[name] for name in TOLD if name in before}, now)
    told = ", ".join(str(option) for option in found if option.name not in SPEED)
    return [f"The run goes on with other options than it was begun with: {told}."] if told else []


def check_resumed_options(
    run: Path, before: Mapping[str, Any], now: Mapping[str, Any], *, stages: Sequence[str], begun: bool
) -> None:
    """Refuses options that change nothing, because what they decide is kept in the run.

    Args:
        run: Folder of the run.
        before: Options that the run was begun with.
        now: Options as they are.
        stages: Names of the trainings before the last one.
        begun: Whether the last training has a checkpoint to go on from.

    Raises:
        ValueError: Naming the first kind of them, with both values.
    """
    for why, names in _unread(run, stages, begun=begun, scheduled=nested(before, "optim.schedule") is not None):
        found = [option for option in changed_options(before, now) if any(_within(option.name, name) for name in names)]
        if found:
            raise ValueError(
                f"run {run} cannot be resumed with {', '.join(map(str, found))}: {why}. Leave the option out, or begin "
                "another run by another --name."
            )


def _unread(run: Path, stages: Sequence[str], *, begun: bool, scheduled: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Yields why options are not read, and their names, or what their names begin with."""
    yield "the values of its settings are in the run: give options one by one", ["training"]
    for stage in stages:
        place, options = run / FOLDER / stage, f"{FOLDER}.{stage}"
        if begun or (place / ADAPTERS).is_file():
            yield f"the stage {stage} is done", [options]
        elif (place / CHECKPOINTS / LAST).is_file():
            yield f"the checkpoint of the stage {stage} has an optimizer of its own", [f"{options}.optim"]
    if begun:
        yield "the checkpoint that it goes on from has an optimizer and a schedule of its own", ["optim"]
    if begun and scheduled:
        yield "its schedule was made for the length of the whole training", LENGTH


def _within(name: str, outer: str) -> bool:
    return name == outer or name.startswith(f"{outer}.")
