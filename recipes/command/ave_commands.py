"""`crossmodal ave fit | test | predict`: audio-visual events from the command line."""

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentParser, Namespace

from crossmodal.checkpoints import load_adapters, read_header, save_adapters
from crossmodal.data import read_clip, windows
from crossmodal.heads import decode_events

from ..ave import AudioVisualEvents
from ..careless import careless_habits
from ..event_data import EventData
from ..event_training import EventTraining
from ..pages.film_page import PAGES, Window, write_film
from ..pages.report import REPORT, write_page, write_report
from ..running.belonging import belonging
from ..running.checkpoint_files import last_checkpoint
from ..running.fitting import quietly, train, trainer_of
from ..running.predictions import PREDICTIONS, write_predictions
from ..running.processes import is_first, shared_name
from ..running.runs import (
    ADAPTERS,
    CONFIG,
    asks_for_run,
    find_place,
    find_run,
    new_run,
    versions,
    write_summary,
    write_text,
)
from .ave_options import parse
from .named import resolve


def fit(argv: Sequence[str]) -> None:
    """Trains, keeps the weights that validate best, and tests them once."""
    parser, given = asked(argv)
    name = shared_name(given.name, time.strftime("ave-%Y%m%d-%H%M%S"))
    run = find_place(given.runs, name, resume=given.resume) if is_first() else given.runs / name
    announce(given, run)
    pl.seed_everything(given.seed, workers=True, verbose=False)
    arguments = parser.instantiate(given)
    data, model = arguments.data, build(arguments, arguments.data.classes)
    data.preprocess = model.preprocess
    task = EventTraining(model, **vars(arguments.optim))
    habits = careless_habits(task, data, arguments.trainer.callbacks or ())
    warn(habits)
    last = last_checkpoint(run, task) if given.resume else None
    if is_first():
        new_run(run)
        write_text(run / CONFIG, parser.dump(Namespace({**vars(given.clone()), "resume": False}), skip_unset=False))
    started = time.monotonic()
    options = vars(arguments.trainer)
    trainer = train(run, task, data, last, seed=given.seed, options=options, save_minutes=given.save_minutes)
    if is_first():
        write_results(run, given, model, seconds=time.monotonic() - started)
        write_summary(run, **({"selected_on": data.validation, "careless_habits": habits} if habits else {}))
    report_test(run, trainer, task, data)


def write_results(run: Path, given: Namespace, model: AudioVisualEvents, *, seconds: float) -> None:
    """Writes what was trained, and how."""
    save_adapters(model, run / ADAPTERS, **belonging(run, given, model))
    sizes = [sum(p.numel() for p in model.parameters() if p.requires_grad or not trained) for trained in (True, False)]
    write_summary(
        run,
        trainable_parameters=sizes[0],
        total_parameters=sizes[1],
        seconds=round(seconds, 1),
        seed=given.seed,
        versions=versions(),
    )


def asked(argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    """The options of `fit`; those of a run that resumes are its own where nothing else is said."""
    parser, given = parse(argv)
    if not given.resume:
        return parser, given
    if given.name is None:
        raise ValueError("ave fit: --resume goes on with one run: say which by --name.")
    stored = find_place(given.runs, given.name, resume=True) / CONFIG
    return parse(["--config", str(stored), *argv])


def test(argv: Sequence[str]) -> None:
    """Tests a finished run on the test split of its data."""
    parser = argparse.ArgumentParser(prog="crossmodal ave test", description="Tests a finished run.")
    asks_for_run(parser)
    given = parser.parse_args(list(argv))
    run = find_run(given.runs, given.run)
    model, arguments = load_run(run)
    arguments.data.preprocess = model.preprocess
    with quietly():
        trainer = trainer_of({**vars(arguments.trainer), "enable_checkpointing": False}, logger=False, callbacks=None)
    report_test(run, trainer, EventTraining(model, **vars(arguments.optim)), arguments.data)


def predict(argv: Sequence[str]) -> None:
    """Prints what a run hears and sees in every second of a video file, and draws it on a page."""
    parser = argparse.ArgumentParser(prog="crossmodal ave predict", description="Events of a video, second by second.")
    parser.add_argument("clip", type=Path, help="a video file with sound")
    asks_for_run(parser)
    parser.add_argument(
        "--out", type=Path, help="the page to write (default: predictions/CLIP.html in the run's folder)"
    )
    given = parser.parse_args(list(argv))
    run = find_run(given.runs, given.run)
    model, _ = load_run(run)
    print(f"{given.clip}, second by second, by {run} (it knows {len(model.classes)} events)")
    names, second, said = [*model.classes, "background"], 0, []
    for window in windows(read_clip(given.clip, model.preprocess)):
        with torch.inference_mode():
            decoded = decode_events(model(window.frames[None], window.wave[None]))
        for label, confidence in zip(decoded.labels[0], decoded.confidence[0], strict=True):
            print(f"{second:5d} s  {names[label]:<28} {confidence:.2f}")
            second += 1
        said.append(Window(window, decoded))
    page = given.out or run / PAGES / f"{given.clip.stem}.html"
    if write_page(page, partial(write_film, page, model, given.clip, run, said), needed=given.out is not None):
        print(f"written to         {page}")


def build(arguments: Namespace, classes: Sequence[str]) -> AudioVisualEvents:
    """The model that the options describe."""
    coupled = partial(resolve(arguments.recipe), **vars(arguments.model))
    released = {} if arguments.get("weights") is None else {"weights": arguments.weights}
    model: AudioVisualEvents = resolve(arguments.size)(coupled=coupled, classes=classes, **released)
    for encoder in model.coupled.encoders.values() if arguments.encoders else ():
        arguments.encoders(encoder)
    return model


def load_run(run: Path) -> tuple[AudioVisualEvents, Namespace]:
    """The trained model of a run, in evaluation mode, and its options."""
    parser, given = parse(["--config", str(run / CONFIG)])
    arguments = parser.instantiate(given)
    model = build(arguments, json.loads(read_header(run / ADAPTERS)["classes"]))
    load_adapters(model, run / ADAPTERS, **belonging(run, given, model))
    return model.eval(), arguments


def report_test(run: Path, trainer: pl.Trainer, task: EventTraining, data: EventData) -> None:
    """Reads the test split once; prints and keeps its accuracy beside what the most frequent label would get."""
    with quietly():
        (found,) = trainer.test(task, data, verbose=False)
    if not trainer.is_global_zero:
        return
    accuracy, chance = found["test_accuracy"], found["test_majority"]
    write_summary(run, test_accuracy=accuracy, majority_accuracy=chance)
    if task.tested is not None:  # Lightning's spawning strategies bring back weights only
        clips = data.split("test")
        write_predictions(run / PREDICTIONS, task.tested, clips.names, data.classes)
        write_page(run / REPORT, partial(write_report, run, task.model, clips))
    points = 100 * (accuracy - chance)
    if data.validation == "test":
        print("selected on        the test split: what follows is the best of all epochs on these very clips")
    print(f"test accuracy      {100 * accuracy:.1f} % of segments")
    print(f"majority class     {100 * chance:.1f} %  ({points:+.1f} points)")
    print(f"written to         {run}/")


def warn(habits: Sequence[str]) -> None:
    """What this training does that a careful one does not, where there is such a thing."""
    if habits and is_first():
        print("\n".join(["This training has habits that a careful one has not:", *(f"- {habit}" for habit in habits)]))


def announce(given: Namespace, run: Path) -> None:
    """The first line of a run: what is trained, on what."""
    if not is_first():
        return
    source = (
        f"the data set {given.data.root}" if given.data.root else "the built-in world (procedural clips, no real data)"
    )
    print(f"crossmodal ave fit: {given.size} model, recipe {given.recipe}, on {source}; run {run}", flush=True)
