"""Test of released weights on a published test split: the system built, its items predicted and kept one by one."""

import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from torch import nn
from torch.utils.data import default_collate

from crossmodal.checkpoints import Imported
from crossmodal.data.source import Items, Source
from crossmodal.evaluation.resumable_scores import ResumableScores, sha256
from crossmodal.ledger.nested import map_tensors
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import system_module
from crossmodal.tasks.task import Features, System, SystemModule, Task
from crossmodal.training.finite import checked_prediction
from crossmodal.training.run_folder import versions

RELEASED = "RELEASED"
"""Attribute of a recipe file: builds the system of its released weights, given `weights=`."""
LOGGER = logging.getLogger("crossmodal")
OVERFLOW = "weights are not finite, or their numbers overflow on this device; nothing of these items is kept"
TABLES = ("*.csv", "*.json", "*.txt")
HASHED = 10**8
"""Bytes of the largest file of a data set that is hashed: lists and labels, not media."""


class Built(NamedTuple):
    """System with released weights, in evaluation mode, and the report of the import if the recipe logged one."""

    system: nn.Module
    report: Imported | None


def released_systems(task: Task) -> list[str]:
    """Returns the systems of a task that have released weights."""
    return [name for name in system_names(task.name) if hasattr(system_module(name, task.name), RELEASED)]


def build_released(name: str, task: Task, weights: Path) -> Built:
    """Builds a system with its released weights.

    Args:
        name: A file of the task's recipe folder, or the path of a function of the user's own.
        task: The task.
        weights: The released file.

    Raises:
        ValueError: If the system has no released weights, or these do not fit.
    """
    build = getattr(system_module(name, task.name), RELEASED, None)
    if build is None:
        raise ValueError(
            f"{task.name} reproduce: --system {name}: its recipe file has no {RELEASED}; those that have one are "
            f"{', '.join(released_systems(task)) or 'none'}."
        )
    with _reports() as reports:
        system = cast(Callable[..., nn.Module], build)(weights=weights)
    return Built(system.eval(), reports[-1] if reports else None)


class Skipping(NamedTuple):
    """Items that cannot be read: name → the reasons, and whether the test goes on without them."""

    missing: dict[str, list[str]]
    allowed: bool


def predict_items(
    system: nn.Module, items: Items, indices: Sequence[int], kept: ResumableScores, *, batch_size: int, skip: Skipping
) -> None:
    """Predicts items and keeps each as it comes.

    Args:
        system: The system, in evaluation mode, on its device.
        items: The split.
        indices: Of the items to predict.
        kept: Gets every item.
        batch_size: Items at a time.
        skip: Gets the items that cannot be read, if the test may go on without them.
    """
    from tqdm import tqdm

    contract, device = cast(System, system), next(system.parameters()).device
    with tqdm(total=len(indices), unit="item", desc="released weights") as bar, torch.inference_mode():
        for start in range(0, len(indices), batch_size):
            asked = indices[start : start + batch_size]
            found = {index: item for index in asked if (item := _read(items, index, skip)) is not None}
            if found:
                read = [_as_read(item, contract) for item in found.values()]
                batch = move_data_to_device(default_collate(read), device)
                outputs = system(batch)
                named = ", ".join(items.names[index] for index in found)
                where = f"reproduce: items {named}"
                prediction = checked_prediction(cast(SystemModule, system), outputs, batch, where, verdict=OVERFLOW)
                prediction = move_data_to_device(prediction, torch.device("cpu"))
                for place, (index, item) in enumerate(found.items()):
                    # a slice keeps the dimension of the batch, which tasks read
                    of_item = map_tensors(prediction, lambda tensor, at=place: tensor[at : at + 1])  # type: ignore[misc]
                    kept.add(index, of_item, default_collate([item]), contract.classes)
            bar.update(len(asked))


def _lists_and_labels(root: Path) -> Iterator[Path]:
    """Yields the small files of a data set, and the tables in its folders: what is asked and what is right."""
    for place in sorted(root.iterdir()):
        # folders of media are as large as they are flat: nothing in them is looked at but tables
        found = [place] if place.is_file() else sorted(file for form in TABLES for file in place.glob(form))
        yield from (file for file in found if file.stat().st_size < HASHED)


def reproduction_identity(
    source: Source, items: Items, weights: Path, options: Mapping[str, Any], device: str
) -> dict[str, Any]:
    """Returns what predictions depend on: they are kept together with others of the same alone."""
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    root = Path(getattr(source, "root", getattr(source, "folder", "")))
    return {
        "weights": {"file": weights.name, "bytes": weights.stat().st_size, "sha256": sha256(weights)},
        "data": {str(file.relative_to(root)): sha256(file) for file in _lists_and_labels(root)},
        "items": len(items),
        "options": {name: str(value) for name, value in options.items()},
        "device": gpu or f"{device}, {platform.machine()}",
        "versions": {**versions(), "python": platform.python_version()},
    }


def _read(items: Items, index: int, skip: Skipping) -> Any:
    """Returns an item, or `None` if it cannot be read, which names and sizes did not show, and may be skipped."""
    try:
        return items[index]
    except (OSError, ValueError) as error:
        if not skip.allowed:
            raise
        skip.missing[items.names[index]] = [str(error)]
        return None


def _as_read(item: Any, system: System) -> Any:
    """Returns an item as the system reads it: with features in place of frames and wave where it reads features."""
    inputs = system.inputs
    if not isinstance(inputs, Features):
        return item
    batch = type(item)(*(field[None] for field in item))
    return type(item)(*(field[0] for field in extract_features(batch, inputs)))


@contextmanager
def _reports() -> Iterator[list[Imported]]:
    """Collects the reports of imports that are logged."""
    found: list[Imported] = []

    class Handler(logging.Handler):
        """Keeps the reports among the arguments of log records."""

        def emit(self, record: logging.LogRecord) -> None:
            """Keeps the report of a record, if it has one."""
            arguments = record.args if isinstance(record.args, tuple) else ()
            found.extend(argument for argument in arguments if isinstance(argument, Imported))

    handler, level = Handler(), LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield found
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
