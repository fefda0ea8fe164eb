"""`fit` and `test` of a task, and the model of a run: what the commands of every task share."""

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
from jsonargparse import ArgumentParser, Namespace

from crossmodal.checkpoints import load_adapters, read_header, save_adapters
from crossmodal.data.many_videos.video_folder import write_failed
from crossmodal.evaluation.report.report import REPORT, write_page, write_report
from crossmodal.io import write_whole
from crossmodal.tasks.coupled_system import AudioVisual
from crossmodal.tasks.resolve import resolve
from crossmodal.tasks.task import Task
from crossmodal.training.checkpoint_io import last_checkpoint
from crossmodal.training.data_module import ClipData
from crossmodal.training.deviations import careless_habits
from crossmodal.training.fit import quietly, train, trainer_of
from crossmodal.training.lightning_module import ClipTraining
from crossmodal.training.options import own_keywords, parse
from crossmodal.training.predictions import PREDICTIONS, write_predictions
from crossmodal.training.provenance import belonging
from crossmodal.training.ranks import is_first, shared_name
from crossmodal.training.run_folder import (
    ADAPTERS,
    CONFIG,
    asks_for_run,
    find_place,
    find_run,
    new_run,
    versions,
    write_summary,
)

LEFT_OUT = "left_out.csv"
"""Of a run: files that could not be had, and why."""


def fit(argv: Sequence[str], task: Task) -> None:
    """Trains, keeps the weights that validate best, and tests them once."""
    parser, given = asked(argv, task)
    name = shared_name(given.name, time.strftime(f"{task.name}-%Y%m%d-%H%M%S"))
    run = find_place(given.runs, name, resume=given.resume) if is_first() else given.runs / name
    announce(given, run, task)
    pl.seed_everything(given.seed, workers=True, verbose=False)
    arguments = parser.instantiate(given)
    data, model = arguments.data, build(arguments, arguments.data.classes, task)
    prepare(data, model)
    training = task.training(model, **vars(arguments.optim))
    habits = careless_habits(training, data, arguments.trainer.callbacks or ())
    warn(habits)
    last = last_checkpoint(run, training) if given.resume else None
    if is_first():
        new_run(run)
        write_whole(run / CONFIG, parser.dump(Namespace({**vars(given.clone()), "resume": False}), skip_unset=False))
        write_failed(run / LEFT_OUT, data.left_out())
        print(f"left out           see {run / LEFT_OUT}\n" * bool(data.left_out()), end="", flush=True)
    started = time.monotonic()
    options = vars(arguments.trainer)
    trainer = train(run, training, data, last, seed=given.seed, options=options, save_minutes=given.save_minutes)
    if is_first():
        write_results(run, given, model, task, data, seconds=time.monotonic() - started)
        write_summary(run, **({"selected_on": data.validation, "careless_habits": habits} if habits else {}))
    report_test(run, trainer, training, data, task)


def write_results(
    run: Path, given: Namespace, model: AudioVisual, task: Task, data: ClipData, *, seconds: float
) -> None:
    """Writes what was trained, and how."""
    save_adapters(model, run / ADAPTERS, task=task.name, **belonging(run, given, model))
    sizes = [sum(p.numel() for p in model.parameters() if p.requires_grad or not trained) for trained in (True, False)]
    write_summary(
        run,
        trainable_parameters=sizes[0],
        total_parameters=sizes[1],
        seconds=round(seconds, 1),
        seed=given.seed,
        versions=versions(),
        **data.facts(),
    )


def asked(argv: Sequence[str], task: Task) -> tuple[ArgumentParser, Namespace]:
    """The options of `fit`; those of a run that resumes are its own where nothing else is said."""
    parser, given = parse(argv, task)
    if not given.resume:
        return parser, given
    if given.name is None:
        raise ValueError(f"{task.name} fit: --resume goes on with one run: say which by --name.")
    stored = find_place(given.runs, given.name, resume=True) / CONFIG
    return parse(["--config", str(stored), *argv], task)


def test(argv: Sequence[str], task: Task) -> None:
    """Tests a finished run on the test split of its data."""
    parser = argparse.ArgumentParser(prog=f"crossmodal {task.name} test", description="Tests a finished run.")
    asks_for_run(parser)
    given = parser.parse_args(list(argv))
    run = find_run(given.runs, given.run, task.name)
    model, arguments = load_run(run, task)
    prepare(arguments.data, model)
    with quietly():
        trainer = trainer_of({**vars(arguments.trainer), "enable_checkpointing": False}, logger=False, callbacks=None)
    report_test(run, trainer, task.training(model, **vars(arguments.optim)), arguments.data, task)


def build(arguments: Namespace, classes: Sequence[str], task: Task) -> AudioVisual:
    """The model that the options describe."""
    size, parts = resolve(arguments.size, task.names), vars(arguments.model).copy()
    own = {name: parts.pop(name) for name in own_keywords(size)}
    released = {} if arguments.get("weights") is None else {"weights": arguments.weights}
    coupled = partial(resolve(arguments.recipe), **parts)
    model: AudioVisual = size(coupled=coupled, classes=classes, **own, **released)
    for encoder in model.coupled.encoders.values() if arguments.encoders else ():
        arguments.encoders(encoder)
    if arguments.lockstep:
        model.coupled = arguments.lockstep(model.coupled)
    return model


def prepare(data: ClipData, model: AudioVisual) -> None:
    """Makes the clips ready as the model wants them, and says what there is to say of them."""
    data.preprocess = model.preprocess
    check_segments(data, model)
    said = data.ready()
    if is_first() and said:
        print("\n".join(f"data               {line}" for line in said), flush=True)


def check_segments(data: ClipData, model: AudioVisual) -> None:
    """Refuses clips of another length than the model's guidance over clips was built for."""
    segments, couplers = getattr(data, "segments", None), model.coupled.couplers
    built = {module.segments for module in couplers.modules() if hasattr(module, "segments")}
    if segments is not None and built - {segments}:
        raise ValueError(
            f"--data.segments {segments}, but guidance over the clip is built for {sorted(built)}: add "
            f"--model.temporal.segments {segments}, or --model.temporal null."
        )


def load_run(run: Path, task: Task) -> tuple[AudioVisual, Namespace]:
    """The trained model of a run, in evaluation mode, and its options."""
    parser, given = parse(["--config", str(run / CONFIG)], task)
    arguments = parser.instantiate(given)
    model = build(arguments, json.loads(read_header(run / ADAPTERS)["classes"]), task)
    load_adapters(model, run / ADAPTERS, **belonging(run, given, model))
    return model.eval(), arguments


def report_test(run: Path, trainer: pl.Trainer, training: ClipTraining, data: ClipData, task: Task) -> None:
    """Reads the test split once; prints and keeps its accuracy beside what the most frequent label would get."""
    with quietly():
        (found,) = trainer.test(training, data, verbose=False)
    if not trainer.is_global_zero:
        return
    accuracy, chance = found["test_accuracy"], found["test_majority"]
    write_summary(run, test_accuracy=accuracy, majority_accuracy=chance)
    if training.tested is not None:  # Lightning's spawning strategies bring back weights only
        clips = data.split("test")
        write_predictions(run / PREDICTIONS, training.tested, clips.names, data.classes)
        write_page(run / REPORT, partial(write_report, run, training.model, clips, task))
    points = 100 * (accuracy - chance)
    if data.validation == "test":
        print("selected on        the test split: what follows is the best of all epochs on these very clips")
    print(f"test accuracy      {100 * accuracy:.1f} % of {task.unit}")
    print(f"majority class     {100 * chance:.1f} %  ({points:+.1f} points)")
    print(f"written to         {run}/")


def warn(habits: Sequence[str]) -> None:
    """What this training does that a careful one does not, where there is such a thing."""
    if habits and is_first():
        print("\n".join(["This training has habits that a careful one has not:", *(f"- {habit}" for habit in habits)]))


def announce(given: Namespace, run: Path, task: Task) -> None:
    """The first line of a run: what is trained, on what."""
    if is_first():
        about = f"{given.size} model, recipe {given.recipe}, on {source(given.data)}; run {run}"
        print(f"crossmodal {task.name} fit: {about}", flush=True)


def source(data: Namespace) -> str:
    """Where the clips come from, in words."""
    if data.get("folder"):
        return f"the videos in {data.folder}/, labelled by {data.labels}"
    return f"the data set {data.root}" if data.root else "the built-in world (procedural clips, no real data)"
