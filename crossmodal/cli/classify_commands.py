"""`crossmodal classify fit | test | predict`: a label a clip, from the command line."""

import argparse
from collections.abc import Sequence
from typing import cast

import torch

from crossmodal.cli import fit as task_commands
from crossmodal.cli.classify_options import CLASSIFY
from crossmodal.cli.predict import asks_for_film, draw
from crossmodal.data import read_clip, windows
from crossmodal.evaluation.report.film_page import Window
from crossmodal.heads.events import Decoded
from crossmodal.recipes.classify.dg_sct import AudioVisualClasses
from crossmodal.tasks.classify_training import decode_classes
from crossmodal.training.run_folder import find_run

SHOWN = 5
"""So many classes of a film are printed."""


def fit(argv: Sequence[str]) -> None:
    """Trains, keeps the weights that validate best, and tests them once."""
    task_commands.fit(argv, CLASSIFY)


def test(argv: Sequence[str]) -> None:
    """Tests a finished run on the test split of its data."""
    task_commands.test(argv, CLASSIFY)


def predict(argv: Sequence[str]) -> None:
    """Prints which classes a run takes a video for, as a whole and in windows, and draws it on a page."""
    parser = argparse.ArgumentParser(prog="crossmodal classify predict", description="The class of a video.")
    asks_for_film(parser)
    given = parser.parse_args(list(argv))
    run = find_run(given.runs, given.run, CLASSIFY.name)
    loaded, arguments = task_commands.load_run(run, CLASSIFY)
    model = cast(AudioVisualClasses, loaded)
    seconds = getattr(arguments.data, "segments", 10)
    print(f"{given.clip}, by {run} (it knows {len(model.classes)} classes)")
    logits, said = [], []
    for window in windows(read_clip(given.clip, model.preprocess), seconds):
        with torch.inference_mode():
            logits.append(model(window.frames[None], window.wave[None]))
        decoded = decode_classes(logits[-1])
        said.append(Window(window, Decoded(*(part.expand(-1, len(window.frames)) for part in decoded))))
    lengths = torch.tensor([float(len(window.clip.frames)) for window in said])
    probabilities = (torch.cat(logits).softmax(1) * (lengths / lengths.sum())[:, None]).sum(0)
    for probability, label in zip(*probabilities.topk(min(SHOWN, len(probabilities))), strict=True):
        print(f"  {model.classes[label]:<28} {probability:.2f}")
    draw(given, model, run, said)
