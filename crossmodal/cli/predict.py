"""`crossmodal ave fit | test | predict`: audio-visual events from the command line."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch
from jsonargparse import Namespace

from crossmodal.cli import fit as task_commands
from crossmodal.cli.ave_options import AVE
from crossmodal.data import read_clip, windows
from crossmodal.evaluation.report.film_page import PAGES, Window, write_film
from crossmodal.evaluation.report.report import write_page
from crossmodal.heads import decode_events
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.tasks.coupled_system import AudioVisual
from crossmodal.training.run_folder import asks_for_run, find_run


def fit(argv: Sequence[str]) -> None:
    """Trains, keeps the weights that validate best, and tests them once."""
    task_commands.fit(argv, AVE)


def test(argv: Sequence[str]) -> None:
    """Tests a finished run on the test split of its data."""
    task_commands.test(argv, AVE)


def predict(argv: Sequence[str]) -> None:
    """Prints what a run hears and sees in every second of a video file, and draws it on a page."""
    parser = argparse.ArgumentParser(prog="crossmodal ave predict", description="Events of a video, second by second.")
    asks_for_film(parser)
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
    draw(given, model, run, said)


def asks_for_film(parser: argparse.ArgumentParser) -> None:
    """The options of a command that looks at a video."""
    parser.add_argument("clip", type=Path, help="a video file with sound")
    asks_for_run(parser)
    parser.add_argument(
        "--out", type=Path, help="the page to write (default: predictions/CLIP.html in the run's folder)"
    )


def draw(given: argparse.Namespace, model: AudioVisual, run: Path, said: Sequence[Window]) -> None:
    """Writes the page of a video, and says where."""
    page = given.out or run / PAGES / f"{given.clip.stem}.html"
    if write_page(page, partial(write_film, page, model, given.clip, run, said), needed=given.out is not None):
        print(f"written to         {page}")


def build(arguments: Namespace, classes: Sequence[str]) -> AudioVisualEvents:
    """The model that the options describe."""
    return cast(AudioVisualEvents, task_commands.build(arguments, classes, AVE))


def load_run(run: Path) -> tuple[AudioVisualEvents, Namespace]:
    """The trained model of a run, in evaluation mode, and its options."""
    model, arguments = task_commands.load_run(run, AVE)
    return cast(AudioVisualEvents, model), arguments
