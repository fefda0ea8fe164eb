"""`crossmodal TASK ablate`: variants of one system in one table, with the difference that every part makes."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from jsonargparse import Namespace

from crossmodal.cli.study_options import add_study_options, print_commands, split_options, train_and_report
from crossmodal.evaluation.result_table import ABLATION
from crossmodal.evaluation.study import Study, check_keyword
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.task import Task
from crossmodal.training.options import model_values, parse

MAPS = ("channel", "spatial", "frequency", "temporal")
CONTROLS = {"self": "own_stream", "none": "no_guide"}
"""Words for controls of `crossmodal.adapters` that go by another name there."""

Variant = tuple[str, tuple[str, ...]]
"""Name of a row and its options of `fit`."""


class FullSystem(NamedTuple):
    """System that variants are made of.

    Attributes:
        task: The task.
        words: Options of `fit` that describe the system.
        options: The same, parsed.
    """

    task: Task
    words: Sequence[str]
    options: Namespace

    def check(self, keyword: str, option: str) -> None:
        """Refuses a keyword that the system does not have; `option` names it in the error."""
        check_keyword(self.words, self.task, keyword, f"ablate: {option}")


def ablate(argv: Sequence[str], task: Task) -> int:
    """Trains the full system and its variants with every seed, and writes one table of them."""
    words, options = split_options(argv)
    given = ablate_parser(task).parse_args(words)
    full = FullSystem(task, options, parse(options, task)[1])
    variants = [VARIANTS[kind](text, full) for kind, text in given.variants or ()]
    # rows are found by their names, in the table and on the disk
    names = [name for name, _ in variants]
    if given.baseline in names:
        raise ValueError(f"ablate: --baseline {given.baseline!r} is also the name of a variant: name it otherwise.")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"ablate: {min(twice)!r} is asked for twice.")
    study = Study(task, tuple(options), {given.baseline: (), **dict(variants)}, tuple(given.seeds), given.baseline)
    if given.print_commands:
        return print_commands(study, given.runs)
    return train_and_report(study, given, columns=ABLATION)[0]


def ablate_parser(task: Task) -> OptionParser:
    """Returns the parser; options that make a variant may be repeated and mixed, each makes a row."""
    made = OptionParser(
        prog=f"crossmodal {task.name} ablate",
        description="Trains a system and variants of it with several seeds; one table says what every part was worth.",
        epilog=f"Options of `crossmodal {task.name} fit` for all runs, the full system's too, stand behind `--`. "
        "Finished runs are not run again, interrupted ones go on: the same command does both.",
        allow_abbrev=False,
    )
    rows = made.add_argument_group("rows beside the full system; each may be repeated")
    for kind, (shape, about) in HELP.items():
        rows.add_argument(f"--{kind}", dest="variants", action="append", type=_of_kind(kind), metavar=shape, help=about)
    made.add_argument("--baseline", default="full", help="name of the full system's row (default: full)")
    add_study_options(made, "runs/ablation")
    return made


HELP = {
    "without": ("PART[+PART]", "leave parts of the system out: channel, spatial+temporal"),
    "freeze-map": ("MAP[+MAP]", "freeze maps at 0.5: channel, spatial+temporal, or all"),
    "edges": ("GUIDE:STREAM", "only these edges: audio:visual; none for no edge at all"),
    "guide": ("CONTROL", "what adapters read: shuffled (another clip), self, none, or the path of your own control"),
    "set": ("NAME=VALUE", "keywords of the system: 'spatial=mylab.TopK spatial.k=8' is one row"),
}


def without(text: str, full: FullSystem) -> Variant:
    """Returns the variant of `channel+spatial`: both `None`."""
    parts = text.split("+")
    for part in parts:
        full.check(part, f"--without {text}")
    return f"without {' + '.join(parts)}", tuple(word for part in parts for word in (f"--model.{part}", "null"))


def frozen(text: str, full: FullSystem) -> Variant:
    """Returns the variant of `channel+spatial`, or of `all` that the full system has: maps of 0.5.

    Raises:
        ValueError: If the full system has no such map.
    """
    there = [name for name in MAPS if model_values(full.options).get(name) is not None]
    maps = there if text == "all" else text.split("+")
    absent = [name for name in maps if name not in there]
    if absent or not maps:
        there_are = f"only {', '.join(there)}" if there else "and no other"
        named = f"no map {absent[0]!r}, {there_are}" if absent else "no maps"
        raise ValueError(f"ablate: --freeze-map {text}: the full system has {named}.")
    words = tuple(word for name in maps for word in (f"--model.{name}", "crossmodal.adapters.FrozenMap"))
    return f"{' + '.join(['all maps'] if text == 'all' else maps)} at 0.5", words


def edges(text: str, full: FullSystem) -> Variant:
    """Returns the variant of `audio:visual`, several joined by `+`, or of `none`."""
    full.check("edges", f"--edges {text}")
    pairs = [] if text == "none" else [edge.split(":") for edge in text.split("+")]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ValueError(f"ablate: --edges {text}: an edge is guide:stream, as in audio:visual.")
    name = " + ".join(f"{guide} → {stream}" for guide, stream in pairs) or "no edge"
    return f"only {name}" if pairs else name, ("--model.edges", json.dumps(pairs))


def guide(text: str, full: FullSystem) -> Variant:
    """Returns the variant of a control of `crossmodal.adapters`, or of a path."""
    full.check("guide", f"--guide {text}")
    name = CONTROLS.get(text, text)
    return f"guide: {text}", ("--model.guide", name if "." in name else f"crossmodal.adapters.{name}")


def setting(text: str, full: FullSystem) -> Variant:
    """Returns the variant of `name=value`, several with spaces between them."""
    words: list[str] = []
    for word in shlex.split(text):
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"ablate: --set {text!r}: {word!r} is not NAME=VALUE.")
        full.check(name, f"--set {text!r}")
        words += [f"--model.{name}", value]
    return text, tuple(words)


VARIANTS: Mapping[str, Callable[[str, FullSystem], Variant]] = MappingProxyType(
    {"without": without, "freeze-map": frozen, "edges": edges, "guide": guide, "set": setting}
)


def _of_kind(kind: str) -> Callable[[str], Any]:
    """Returns the argparse type of an option that makes a variant."""
    return lambda text: (kind, text)
