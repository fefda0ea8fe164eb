"""`crossmodal ave ablate`: what every part of a model is worth, in one table."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from crossmodal.cli.ave_options import parse
from crossmodal.evaluation.ablation import finished, gathered
from crossmodal.evaluation.study import Study, check_keyword
from crossmodal.tasks.resolve import resolve

MAPS = ("channel", "spatial", "frequency", "temporal")
CONTROLS = {"self": "own_stream", "none": "no_guide"}
"""Words for controls of `crossmodal.adapters` that go by another name there."""

Variant = tuple[str, tuple[str, ...]]
FAILED = 3


def ablate(argv: Sequence[str]) -> int:
    """Trains the full model and its variants with every seed, and writes one table of them."""
    words, options = split(argv)
    given = parser().parse_args(words)
    _, full = parse(options)
    variants = [VARIANTS[kind](text, full) for kind, text in given.variants or ()]
    twice = {name for name, _ in variants if [other for other, _ in variants].count(name) > 1}
    if twice:
        raise ValueError(f"ablate: {min(twice)!r} is asked for twice.")
    study = Study(tuple(options), {given.baseline: (), **dict(variants)}, tuple(given.seeds), given.baseline)
    if given.print_commands:
        print("\n".join(study.commands(given.runs)))
        return 0
    return report(study, given.runs, given.workers)


def report(study: Study, folder: Path, workers: int) -> int:
    """Finishes the runs, prints the table and writes it in all forms; exit code 3 where runs failed."""
    code = 0
    try:
        table = finished(study, folder, workers=workers)
    except RuntimeError as error:
        print(f"crossmodal: ablate: {error}", file=sys.stderr)
        table, code = gathered(study, folder, {name: study.operations(name) for name in study.variants}), FAILED
    print(table)
    print(f"\nwritten to {', '.join(map(str, table.write(folder)))}")
    return code


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of this command, and those behind `--`, which are for every run."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def parser() -> argparse.ArgumentParser:
    """The options; those that make a variant may be repeated and mixed, each makes a row."""
    made = argparse.ArgumentParser(
        prog="crossmodal ave ablate",
        description="Trains a model and variants of it with several seeds; one table says what every part was worth.",
        epilog="Options of `crossmodal ave fit` for all runs, the full model's too, stand behind `--`. Finished runs "
        "are not run again, interrupted ones go on: the same command does both.",
        allow_abbrev=False,
    )
    rows = made.add_argument_group("rows beside the full model; each may be repeated")
    for kind, (shape, about) in HELP.items():
        rows.add_argument(f"--{kind}", dest="variants", action="append", type=_of_kind(kind), metavar=shape, help=about)
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default: 0 1 2 3 4")
    made.add_argument("--baseline", default="full", help="name of the full model's row (default: full)")
    made.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="folder of runs (default: %(default)s)")
    made.add_argument("--workers", type=int, default=1, help="runs at a time; 0 gathers what is finished (default: 1)")
    made.add_argument(
        "--print-commands", action="store_true", help="print a line of shell for every run to do, and run none"
    )
    return made


HELP = {
    "without": ("PART[+PART]", "leave parts of the recipe out: channel, spatial+temporal"),
    "freeze-map": ("MAP[+MAP]", "freeze maps at 0.5: channel, spatial+temporal, or all"),
    "edges": ("GUIDE:STREAM", "only these edges: audio:visual; none for no edge at all"),
    "guide": ("CONTROL", "what adapters read: shuffled (another clip), self, none, or the path of your own control"),
    "set": ("NAME=VALUE", "keywords of the recipe: 'spatial=mylab.TopK spatial.k=8' is one row"),
}


def without(text: str, full: Namespace) -> Variant:
    """`channel+spatial`: both `None`."""
    parts = text.split("+")
    for part in parts:
        check_keyword(resolve(full.recipe), part, f"--without {text}")
    return f"without {' + '.join(parts)}", tuple(word for part in parts for word in (f"--model.{part}", "null"))


def frozen(text: str, full: Namespace) -> Variant:
    """`channel+spatial`, or `all` that the full model has: maps of 0.5. `ValueError` where it has no such map."""
    there = [name for name in MAPS if full.model.get(name) is not None]
    maps = there if text == "all" else text.split("+")
    if absent := [name for name in maps if name not in there]:
        raise ValueError(
            f"ablate: --freeze-map {text}: the full model has no map {absent[0]!r}, only {', '.join(there) or 'none'}."
        )
    words = tuple(word for name in maps for word in (f"--model.{name}", "crossmodal.adapters.FrozenMap"))
    return f"{' + '.join(['all maps'] if text == 'all' else maps)} at 0.5", words


def edges(text: str, full: Namespace) -> Variant:
    """`audio:visual`, several joined by `+`, or `none`."""
    pairs = [] if text == "none" else [edge.split(":") for edge in text.split("+")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError(f"ablate: --edges {text}: an edge is guide:stream, as in audio:visual.")
    name = " + ".join(f"{guide} → {stream}" for guide, stream in pairs) or "no edge"
    return f"only {name}" if pairs else name, ("--model.edges", json.dumps(pairs))


def guide(text: str, full: Namespace) -> Variant:
    """A control of `crossmodal.adapters`, or a path."""
    name = CONTROLS.get(text, text)
    return f"guide: {text}", ("--model.guide", name if "." in name else f"crossmodal.adapters.{name}")


def setting(text: str, full: Namespace) -> Variant:
    """`name=value`, several with spaces between them."""
    words: list[str] = []
    for word in shlex.split(text):
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"ablate: --set {text!r}: {word!r} is not NAME=VALUE.")
        check_keyword(resolve(full.recipe), name, f"--set {text!r}")
        words += [f"--model.{name}", value]
    return text, tuple(words)


VARIANTS: dict[str, Callable[[str, Namespace], Variant]] = {
    "without": without,
    "freeze-map": frozen,
    "edges": edges,
    "guide": guide,
    "set": setting,
}


def _of_kind(kind: str) -> Callable[[str], Any]:
    return lambda text: (kind, text)
