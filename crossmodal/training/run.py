"""A run from its options: the system built, the data made ready, the test reported, the finished run loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
from jsonargparse import Namespace
from torch import nn

from crossmodal.checkpoints import load_adapters, read_header, save_adapters, with_dtype_of
from crossmodal.data.source import Items, Source
from crossmodal.data.vocabulary import from_text, parted
from crossmodal.injection import fast_linears
from crossmodal.named_draws import seeded_draws
from crossmodal.tasks.feature_inputs import source_as_read
from crossmodal.tasks.pretrained import beginnings_unread, is_replaced
from crossmodal.tasks.resolve import find_system, task_word
from crossmodal.tasks.task import SystemModule, Task

from .choice import read_options
from .data_module import DataModule
from .evidence import INTERVAL, interval_of
from .fit import quietly, trainer_of
from .lightning_module import SystemTraining
from .options import model_keywords, model_values, parse
from .predictions import PREDICTIONS, Tested, write_predictions
from .provenance import provenance
from .ranks import is_first
from .run_folder import ADAPTERS, CHANCE, CONFIG, MONITOR, TEST, versions, write_summary

NAMED = 5
"""Items that cannot be used which an error names."""


def build(arguments: Namespace, classes: Sequence[str], task: Task) -> SystemModule:
    """Builds the system that the options describe, for a label vocabulary.

    Initial weights follow from the seed and the names of parts: of two systems that differ in one part, all others
    begin alike.
    """
    with seeded_draws(arguments.seed):
        return _build(arguments, classes, task)


def _build(arguments: Namespace, classes: Sequence[str], task: Task) -> SystemModule:
    """Builds the system, drawing from torch's generators as they are."""
    function = find_system(arguments.system, task.name)
    system = cast(SystemModule, function(classes=classes, **model_keywords(function, model_values(arguments))))
    coupled = getattr(system, "coupled", None)
    fast_linears(system)  # on the CPU alone; other devices run torch's own layers
    if coupled is None:
        unused = [name for name in ("encoders", "lockstep") if arguments.get(name)]
        if unused:
            raise ValueError(
                f"--{unused[0]}: the system {arguments.system!r} has no coupled encoders: leave the option out."
            )
        return system
    for encoder in coupled.encoders.values() if arguments.encoders else ():
        arguments.encoders(encoder)
    if arguments.lockstep:
        system.coupled = arguments.lockstep(coupled)
    return system


def prepare_source(
    source: Source, system: SystemModule, folder: Path, *, splits: Sequence[str] = ("train", "val", "test")
) -> Source:
    """Makes the items ready as the system reads them, and prints what there is to say of them.

    Args:
        source: Where the items come from.
        system: What reads them.
        folder: Folder of feature caches.
        splits: Those that will be read; all are looked at before hours of training.

    Returns:
        The source to train on: the same, or one that reads cached features.

    Raises:
        ValueError: If an item of these splits cannot be read, as far as can be told without reading it.
    """
    check_segments(source, system)
    check_items(source, splits)
    read = source_as_read(source, system.inputs, folder, splits=splits)
    said = read.ready()
    if is_first() and said:
        print("\n".join(f"data               {line}" for line in said), flush=True)
    return read


def prepare_source_of_run(
    source: Source, system: SystemModule, folder: Path, *, splits: Sequence[str] = ("train", "val", "test")
) -> Source:
    """Makes the items ready for a finished run, as `prepare_source` does for a training; refuses those of other labels.

    Args:
        source: Where the items come from.
        system: Trained system.
        folder: Folder of feature caches.
        splits: Those that will be read.
    """
    for split in splits:
        check_classes(source.split(split), system, source.describe())
    return prepare_source(source, system, folder, splits=splits)


def check_segments(source: Source, system: nn.Module) -> None:
    """Refuses items of another length than the system's guidance over clips was built for.

    Raises:
        ValueError: If they differ.
    """
    segments = getattr(source, "segments", None)
    built = {int(cast(Any, module).segments) for module in system.modules() if hasattr(module, "segments")}
    if segments is not None and built - {segments}:
        raise ValueError(
            f"--data.segments {segments}, but guidance over the clip is built for {sorted(built)}: add "
            f"--model.temporal.segments {segments}, or --model.temporal null."
        )


def check_classes(items: Items, system: SystemModule, where: str) -> None:
    """Refuses data with other labels, or the same in another order: predictions are compared by their numbers.

    A system whose predictions have no labels, as of masks, takes any data.

    Args:
        items: Items of a split.
        system: What reads them.
        where: Names the data in the error.

    Raises:
        ValueError: Naming the first one that differs.
    """
    reads_labels = not getattr(system, "labels_are_unread", False)
    if reads_labels and (said := parted(system.classes, items.classes)):
        raise ValueError(
            f"{where} has other labels than the run: {said}: bring the data of the training, or train anew."
        )


def check_items(source: Source, splits: Sequence[str]) -> None:
    """Refuses splits without items, or with some that cannot be read, where the data set can tell by names and sizes.

    Raises:
        ValueError: Naming the first items of the first such split, and how many there are.
    """
    for split in splits:
        items = source.split(split)
        if not len(items):
            raise ValueError(
                f"the {split} split of {source.describe()} holds no item: bring its data, or complete the table."
            )
        check = getattr(items, "check", None)
        missing: dict[str, list[str]] = check() if check is not None else {}
        if missing:
            named = ", ".join(list(missing)[:NAMED]) + (f" and {len(missing) - NAMED} more" * (len(missing) > NAMED))
            raise ValueError(
                f"{len(missing)} items of the {split} split of {source.describe()} cannot be used: {named}. The first: "
                f"{next(iter(missing.values()))[0]} Complete the data, or take their rows out of the split."
            )


def feature_folder(runs: Path) -> Path:
    """Returns the folder of feature caches of a folder of runs, which all of them share."""
    return runs / "features"


def load_run(run: Path, task: Task) -> tuple[SystemModule, Namespace]:
    """Returns the trained system of a run, in evaluation mode and in the precision of its training, and its options."""
    parser, given = parse(["--config", str(run / CONFIG)], task)
    arguments = parser.instantiate(given)  # components of one's own by their import paths
    classes = from_text(read_header(run / ADAPTERS)["classes"])
    with beginnings_unread():
        system = build(arguments, classes, task)
    if not is_replaced(system):
        system = build(arguments, classes, task)
    system = with_dtype_of(system, run / ADAPTERS)  # before the fingerprint of what is frozen, which tells dtypes apart
    load_adapters(system, run / ADAPTERS, **_provenance(run, given, system))
    return system.eval(), arguments


def _provenance(run: Path, given: Namespace, system: SystemModule) -> dict[str, Any]:
    """Returns what the adapter file of a run belongs to."""
    return provenance(given.system, read_options(run / CONFIG).get("model", {}), system)


def write_results(
    run: Path, given: Namespace, system: SystemModule, task: Task, source: Source, *, seconds: float
) -> None:
    """Writes what was trained, and how."""
    names = {"task": task.name, "task_module": task_word(task)}
    save_adapters(system, run / ADAPTERS, **names, **_provenance(run, given, system))
    sizes = [sum(p.numel() for p in system.parameters() if p.requires_grad or not part) for part in (True, False)]
    write_summary(
        run,
        trainable_parameters=sizes[0],
        total_parameters=sizes[1],
        seconds=round(seconds, 1),
        seed=given.seed,
        versions=versions(),
        data=source.describe_to_others(),
        **source.facts(),
    )


def test_run(run: Path, trainer: pl.Trainer, training: SystemTraining, source: Source) -> Tested | None:
    """Reads the test split once and keeps its scores and rows; returns them in the first process, else `None`."""
    with quietly():
        trainer.test(training, DataModule(source), verbose=False)
    tested = training.tested
    if not trainer.is_global_zero or tested is None:  # Lightning's spawning strategies bring back weights only
        return None
    monitor = training.task.monitor
    interval = interval_of(tested.rows, tested.scores[monitor])
    write_summary(run, **{TEST: tested.scores, CHANCE: tested.chance, MONITOR: monitor, INTERVAL: interval})
    write_predictions(run / PREDICTIONS, tested.rows, source.split("test").names)
    return tested


def testing_trainer(options: dict[str, Any]) -> pl.Trainer:
    """Returns a trainer that only tests."""
    with quietly():
        return trainer_of({**options, "enable_checkpointing": False, "logger": False}, callbacks=None)
