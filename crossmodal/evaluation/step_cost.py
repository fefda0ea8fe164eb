"""Cost of a training step of any system, counted on the meta device before any weight exists."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from jsonargparse import Namespace
from torch import Tensor, nn
from torch.utils.data import default_collate

from crossmodal.data.source import Source
from crossmodal.ledger import Cost, cost
from crossmodal.ledger.nested import map_tensors, shadow, without_data
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.task import Features, System, Task, system_remarks
from crossmodal.training.choice import required
from crossmodal.training.options import model_values, parse
from crossmodal.training.run import build

WEIGHTS = "weights"
"""Last word of the keywords of a system that name files of weights, such as `visual_weights`."""


class DescribedCost(NamedTuple):
    """Cost of a training step of a system, and what else a reader must know of the system."""

    cost: Cost
    remarks: list[str]


def described_cost(
    argv: Sequence[str], task: Task, items: int = 1, *, asked_by: OptionParser | None = None
) -> DescribedCost:
    """Counts a training step of the system that the options of `fit` describe; reads no file of weights.

    Args:
        argv: Options of `crossmodal TASK fit`.
        task: The task.
        items: Items in the batch.
        asked_by: Parser of the verb that takes these options beside its own, as `parse` takes it.

    Raises:
        ValueError: If the options are refused, or the system looks at values of its inputs.
    """
    parser, given = parse(argv, task, asked_by=asked_by)
    arguments = parser.instantiate(given)
    system = system_on_meta(arguments, task)
    return DescribedCost(step_cost(system, task, items=items, source=arguments.data), system_remarks(system))


def step_cost(system: nn.Module, task: Task, *, items: int = 1, source: Source | None = None) -> Cost:
    """Counts a training step of a system on a batch of whole items.

    Args:
        system: System of the task; it may be on the meta device.
        task: The task.
        items: Items in the batch.
        source: Source that is trained on. Of it only the length of its items in segments is read, unless every source
            of the task needs files.

    Raises:
        ValueError: If the system looks at values of its inputs.
    """
    return cost(system, meta_batch(system, task, items=items, source=source))


def system_on_meta(arguments: Namespace, task: Task) -> nn.Module:
    """Builds the system of instantiated options on the meta device, without its files of weights."""
    arguments = arguments.clone()
    for name in model_values(arguments):
        if name.rpartition("_")[2] == WEIGHTS:
            arguments.model[name] = None
    # that encoders without files are random is true and beside the point here
    with torch.device("meta"), warnings.catch_warnings(), _quiet(logging.getLogger("crossmodal")):
        warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter.*")  # tiny ones bring theirs
        return build(arguments, arguments.data.classes, task)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Holds back warnings of a logger."""
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def meta_batch(system: nn.Module, task: Task, *, items: int = 1, source: Source | None = None) -> Any:
    """Returns a batch without data, as the system reads it.

    Args:
        system: System of the task.
        task: The task; its default source says what an item looks like.
        items: Items in the batch.
        source: Source that is trained on.

    Raises:
        ValueError: If the task has no source without files, and `source` is `None`.
    """
    inputs = cast(System, system).inputs
    if (example := getattr(system, "example_batch", None)) is not None:  # it reads what no other source's items hold
        return without_data(example(items))
    default = next((made for made in task.sources.values() if not required(made)), None)
    shown = source if default is None else default()
    if shown is None:
        raise ValueError(f"step_cost: all data sources of {task.name} need files: give the source that is trained on.")
    shown.preprocess = inputs.preprocess
    item = shown.split("train")[0]
    segments = getattr(source, "segments", task.segments)
    batch = without_data(default_collate([_of_length(item, task.segments, segments)] * items))
    if not isinstance(inputs, Features):
        return batch
    return extract_features(batch, inputs._replace(visual=shadow(inputs.visual), audio=shadow(inputs.audio)))


def _of_length(item: Any, usual: int, segments: int) -> Any:
    """Returns an item of another length: every tensor that has an entry per segment is cut or repeated."""

    def resized(tensor: Tensor) -> Tensor:
        if tensor.ndim == 0 or len(tensor) != usual:
            return tensor
        return tensor[torch.arange(segments) % usual]  # values do not matter here, lengths do

    return item if usual == segments else map_tensors(item, resized)
