"""`crossmodal TASK reproduce`: the released weights of a system on the published test split."""

import json
import platform
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser, Namespace

from crossmodal.checkpoints import fetch
from crossmodal.checkpoints.released_files import RELEASED_FILES
from crossmodal.data.source import Items, Source
from crossmodal.data.vocabulary import as_text
from crossmodal.evaluation.published import PublishedScore, published_for
from crossmodal.evaluation.released_test import (
    Built,
    Skipping,
    build_released,
    predict_items,
    released_systems,
    reproduction_identity,
)
from crossmodal.evaluation.resumable_scores import ResumableScores
from crossmodal.injection import fingerprint
from crossmodal.io import folder_lock, make_folder, missing_folders, remove_empty, write_whole
from crossmodal.tasks.task import System, Task
from crossmodal.training.choice import required
from crossmodal.training.fit_parser import FitParser, ShortHelp

from .check_device import check_device

NAMED = 10
"""Items that cannot be read which are named on the screen; of more a file holds all."""
SHARED = {"batch_size", "workers", "seed", "validation"}
"""Keywords of a source that are about training."""


def reproduce(argv: Sequence[str], task: Task) -> None:
    """Runs released weights over the test split and prints their scores beside the published ones.

    Predictions are kept item by item: the same command goes on where it was stopped.
    """
    parser, given = parse_options(argv, task)
    weights = fetch(given.weights) if given.weights in RELEASED_FILES else Path(given.weights)
    if not weights.is_file():
        raise FileNotFoundError(f"{task.name} reproduce: --weights {weights} does not exist.")
    missing = missing_folders(given.out)
    make_folder(given.out)
    with folder_lock(given.out):  # two processes would append to one file
        try:
            reproduce_in(given, parser, weights, argv, task)
        finally:
            remove_empty(missing)  # what is refused leaves no empty folder, save one that was there before


def reproduce_in(given: Namespace, parser: ArgumentParser, weights: Path, argv: Sequence[str], task: Task) -> None:
    """Predicts what the folder `given.out` does not keep yet, and prints and writes the scores."""
    source: Source = parser.instantiate(given).data
    missing = find_missing_items(source.split("test"), given, task)
    built = build_released(given.system, task, weights)
    items = check_released_classes(source, built, task)
    identity = reproduction_identity(source, items, weights, vars(given.data), given.device)
    kept = ResumableScores(given.out, task, identity)
    print(built.report or f"{given.system} with the weights {weights}", flush=True)
    wanted = [index for index, name in enumerate(items.names) if name not in missing][: given.limit]
    todo, started = [index for index in wanted if index not in kept], time.monotonic()
    skip = Skipping(missing, given.skip_missing)
    try:
        predict_items(built.system.to(given.device), items, todo, kept, batch_size=given.batch_size, skip=skip)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command goes on from what {given.out}/ keeps") from None
    done = [index for index in wanted if index in kept]
    tested = kept.result(done)
    kept.write_csv(tested, items.names)
    facts = {
        "system": given.system,
        "scores": tested.scores,
        "chance": tested.chance,
        "items": len(done),
        "items_of_the_split": len(items),
        "missing": missing,
    }
    about = {
        "published": [score._asdict() for score in published_of(task, given.system)],
        "command": shlex.join(["crossmodal", task.name, "reproduce", *argv]),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(time.monotonic() - started, 1),
        "items_predicted_now": len(set(todo) & set(done)),
        "tensors": count_tensors(built),
        "fingerprint": fingerprint(built.system),
        "platform": platform.platform(),
        **{name: value for name, value in kept.identity.items() if name != "items"},
    }
    write_whole(given.out / "result.json", json.dumps({**facts, **about}, indent=2) + "\n")
    print_result(facts, published_of(task, given.system), given.out)


def parse_options(argv: Sequence[str], task: Task) -> tuple[ArgumentParser, Namespace]:
    """Parses the options; those of the data are the keywords of the task's source that reads files.

    Raises:
        ValueError: If a number is not positive, the device cannot be used, or nothing of the task is released.
    """
    sources = {name: source for name, source in task.sources.items() if required(source)}
    systems = released_systems(task)
    if not sources or not (systems or any(word.startswith("--system") for word in argv)):
        raise ValueError(
            f"{task.name} reproduce: no released weights and no data set in files of {task.name} are known."
        )
    words = {word.split("=")[0] for word in argv}
    asked = [source for source in sources.values() if {f"--data.{name}" for name in required(source)} & words]
    parser = FitParser(
        prog=f"crossmodal {task.name} reproduce",
        description=str(reproduce.__doc__).split("\n")[0],
        formatter_class=ShortHelp,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--system", default=systems[0] if systems else None, help=f"whose weights: {', '.join(systems)}")
    add("--weights", required=True, help="the released file, or the name of one: dg_sct_ave")
    add("--out", type=Path, default=Path("reproduce"), help="folder of predictions and result; begun ones go on")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where the model runs")
    add("--batch_size", type=int, default=1, help="items at a time")
    add("--limit", type=int | None, default=None, help="only so many items, for a trial")
    add("--skip_missing", action="store_true", help="go on without items that cannot be read")
    parser.add_class_arguments([*asked, *sources.values()][0], "data", skip=SHARED)
    given = parser.parse_args(list(argv))
    for name in ("batch_size", "limit"):
        if (value := getattr(given, name)) is not None and value < 1:
            raise ValueError(f"{task.name} reproduce: --{name} {value} must be at least 1.")
    check_device(given.device, f"{task.name} reproduce")
    return parser, given


def find_missing_items(items: Items, given: Namespace, task: Task) -> dict[str, list[str]]:
    """Returns name → reasons for items that cannot be read, where the data set can look before it reads.

    Raises:
        ValueError: If something is missing and `--skip_missing` was not given.
    """
    check = getattr(items, "check", None)
    missing: dict[str, list[str]] = check() if check is not None else {}
    if not missing:
        print(f"data: {len(items)} items in the test split, all there", flush=True)
        return {}
    named = ", ".join(list(missing)[:NAMED])
    if len(missing) > NAMED:
        given.out.mkdir(parents=True, exist_ok=True)
        rows = [f"{name}\t{' '.join(problems)}\n" for name, problems in missing.items()]
        write_whole(given.out / "missing.txt", "".join(rows))
        named += f" and {len(missing) - NAMED} more, all in {given.out / 'missing.txt'}"
    first = next(iter(missing.values()))[0]
    what = f"{len(missing)} items of the test split cannot be read: {named}. The first: {first}"
    if not given.skip_missing:
        raise ValueError(f"{task.name} reproduce: {what} Complete the data, or go on without them by --skip_missing.")
    print(f"data: {what} Going on without them: the score will be one of fewer items.", flush=True)
    return missing


def check_released_classes(source: Source, built: Built, task: Task) -> Items:
    """Returns the test split as the system reads it.

    Raises:
        ValueError: If the labels of the data are others than those of the weights.
    """
    system: Any = built.system
    contract: System = system
    source.preprocess = contract.inputs.preprocess
    source.ready()
    items = source.split("test")
    # a system without a vocabulary of its own, as of masks, takes the items of any; words of questions count, too
    if contract.classes and as_text(items.classes) != as_text(contract.classes):
        raise ValueError(
            f"{task.name} reproduce: {source.describe()} has the classes {', '.join(items.classes)}, but the released "
            f"weights are of {', '.join(contract.classes)}: it must list these, in their order."
        )
    return items


def count_tensors(built: Built) -> dict[str, int]:
    """Returns how many tensors of the file were mapped and dropped; empty where the recipe does not report it."""
    report = built.report
    return {} if report is None else {"mapped": len(set(report.mapped.values())), "dropped": len(report.dropped)}


def published_of(task: Task, system: str) -> list[PublishedScore]:
    """Returns the published scores of a system."""
    return [score for score in published_for(task) if system in score.system.split()]


def print_result(facts: Mapping[str, Any], published: Sequence[PublishedScore], out: Path) -> None:
    """Prints the table at the end."""
    wanted = {score.items for score in published if score.items}
    part = "".join(f"; the published score is one of {number}" for number in wanted if number != str(facts["items"]))
    print(f"\n{facts['system']}, on {facts['items']} of {facts['items_of_the_split']} items of the test split{part}")
    for name, value in facts["scores"].items():
        print(f"  {100 * value:6.2f} %  {name}")
    for name, value in facts["chance"].items():
        print(f"  {100 * value:6.2f} %  {name} of a model that looks at nothing")
    for score in published:
        print(f"  {score.percent:>6} %  published: {score.metric} of {score.method} ({score.source})")
    print(f"written to {out}/result.json, with what it was run on; all predictions are in {out}/predictions.csv")
