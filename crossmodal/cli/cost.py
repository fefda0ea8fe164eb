"""`crossmodal ave cost`: what a training step of a model costs, before any weight of it exists."""

import argparse
import json
import warnings
from collections.abc import Sequence

import torch

from crossmodal.cli.ave_options import parse
from crossmodal.cli.predict import build
from crossmodal.ledger import Cost, cost
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents

FORMS = ("table", "markdown", "json")


def print_cost(argv: Sequence[str]) -> None:
    """Prints parameters, operations and bytes, part by part, of the model that the options of `ave fit` describe."""
    parser = argparse.ArgumentParser(
        prog="crossmodal ave cost",
        description="What a training step costs, counted without weights and without data.",
        epilog="The model is described as for `crossmodal ave fit`: --size, --recipe, --model.… and so on.",
        allow_abbrev=False,
    )
    parser.add_argument("--clips", type=int, default=1, help="clips in the batch, of ten seconds (default: 1)")
    parser.add_argument("--depth", type=int, default=3, help="how far down the parts are listed (default: 3)")
    parser.add_argument("--form", choices=FORMS, default="table", help="how it is printed (default: table)")
    own, others = parser.parse_known_args(list(argv))
    if own.clips < 1:
        raise ValueError(f"ave cost: --clips={own.clips} must be at least 1.")
    model = without_weights(others)
    found = cost_of(model, own.clips)
    if own.form == "json":
        print(json.dumps(found.as_dict(own.depth), indent=1))
        return
    print(f"A training step on {own.clips} clip(s) of ten seconds, in float32\n")
    print(found.table(own.depth) if own.form == "table" else found.markdown(own.depth))


def without_weights(argv: Sequence[str]) -> AudioVisualEvents:
    """The model that the options of `ave fit` describe, on the meta device; files of weights are not read."""
    parser, given = parse(argv)
    arguments = parser.instantiate(given)
    arguments.weights = None
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter.*")  # tiny ones bring theirs
        return build(arguments, arguments.data.classes)


def cost_of(model: AudioVisualEvents, clips: int = 1) -> Cost:
    """The cost of a training step on whole clips as the model takes them."""
    size, rate = model.preprocess.size, model.preprocess.rate
    frames = torch.empty(clips, 10, 3, size, size, device="meta")
    return cost(model, frames, torch.empty(clips, 10, rate, device="meta"))
