"""`crossmodal TASK figure`: features before and after guidance in the plane, class by class, with probes."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from crossmodal.data.extras import need
from crossmodal.data.many_videos.video_folder import int_at_least
from crossmodal.data.source import Items
from crossmodal.data.table_cell import csv_text
from crossmodal.drawing import ScatterPanel, scatter_figure
from crossmodal.drawing.canvas import write_figure
from crossmodal.evaluation.embedding import (
    KINDS,
    STREAMS,
    LabelledFeatures,
    Panel,
    Projection,
    concatenate,
    labelled_features,
    most_frequent_classes,
    project,
)
from crossmodal.io import make_folder, write_whole
from crossmodal.metrics.segments import majority_share
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled, Task
from crossmodal.training.run import feature_folder, load_run, prepare_source_of_run
from crossmodal.training.run_folder import add_run_options, find_run, one_run

from .check_device import check_device

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

ABOUT = """Draws the features of segments with a class by t-SNE: visual and audio, original (the frozen encoders, mean
over tokens) and guided (what the heads read), the same classes and colours in all four panels. Above each panel stand
the accuracy of a linear probe, fitted on training clips and scored on the asked split, and the silhouette of the
classes, both in the features, not in the plane. Writes figure/SPLIT.png, SPLIT.csv (where the points lie) and
SPLIT_scores.csv."""

FIGURES, MOST_CLASSES, CAPTION_WIDTH = "figure", 8, 95
"""Folder of a run; most classes that are drawn by themselves; characters of a line below the figure."""

PANELS = [(stream, kind) for stream in STREAMS for kind in KINDS]


def figure(argv: Sequence[str], task: Task) -> int:
    """Draws the figure and writes its points and numbers.

    Returns:
        Exit code: 2 where the system or the task has no such features.
    """
    command = f"{task.name} figure"
    given = figure_options(command).parse_args(list(argv))
    check_device(given.device, command)
    for module in ("sklearn", "matplotlib", "tqdm", "pandas"):
        need(module, f"crossmodal {command}")
    run = find_run(given.runs, one_run(given.at, given.run, command), task.name)
    system, trained = load_run(run, task)
    if not isinstance(system, CoupledSystem) or not isinstance(task, Labelled):
        lacking = f"the system {trained.system!r} has no coupled encoders, whose features are compared"
        if isinstance(system, CoupledSystem):
            lacking = f"the task {task.name!r} has no labels of segments or clips, by which features are coloured"
        print(f"crossmodal: {command}: {lacking}.", file=sys.stderr)
        return 2
    system.to(given.device)
    source = prepare_source_of_run(trained.data, system, feature_folder(run.parent))
    data = source.describe()
    print(f"{command}: {given.split} split of {data}, by {run}", flush=True)
    train = features_of(system, task, source.split("train"), given.train_clips, "training clips")
    asked = features_of(system, task, source.split(given.split), given.clips, f"{given.split} clips")
    kept = class_places(given.classes, system.classes, asked, command)
    train, asked = train.of(kept), asked.of(kept)
    panels = {panel: project(train, asked, panel, seed=given.seed) for panel in PANELS}
    out = given.out or run / FIGURES
    make_folder(out)
    names = [system.classes[label] for label in kept]
    lines = textwrap.fill(f"Data: {given.split} split of {data}.", CAPTION_WIDTH)
    caption = f"Run: {run.name}.\n{lines}\n{caption_of(train, asked, given.seed)}"
    write_figure(out / f"{given.split}.png", embedding_figure(panels, asked, names, caption))
    scores = scores_frame(panels).to_csv(index=False, lineterminator="\n", float_format="%.4f")
    points = csv_text(points_frame(panels, asked, names), float_format="%.4f")
    write_whole(out / f"{given.split}.csv", points)
    write_whole(out / f"{given.split}_scores.csv", scores)
    print(scores, end="")
    print(f"written to {out}/")
    return 0


def figure_options(command: str) -> OptionParser:
    """Returns the parser of `figure`."""
    parser = OptionParser(prog=f"crossmodal {command}", description=ABOUT)
    add = parser.add_argument
    add("at", type=Path, nargs="?", metavar="RUN", help="folder of the run; the same as --run")
    add_run_options(parser)
    add("--split", choices=("val", "test"), default="test", help="split that is drawn (default: test)")
    add("--clips", type=int_at_least(1), default=100, help="of that split, from its first on (default: 100)")
    add("--train_clips", type=int_at_least(1), default=300, help="that the probe is fitted on (default: 300)")
    classes = f"names of the classes to draw (default: the {MOST_CLASSES} with most points)"
    add("--classes", nargs="+", metavar="NAME", help=classes)
    add("--seed", type=int, default=0, help="of t-SNE (default: 0)")
    add("--out", type=Path, help="folder to write to (default: figure/ in the run's folder)")
    add("--device", default="cpu", help="where the system runs (default: cpu)")
    return parser


def features_of(system: CoupledSystem, task: Labelled, items: Items, most: int, label: str) -> LabelledFeatures:
    """Returns the features of the first items, under a bar."""
    from tqdm import tqdm

    count = min(most, len(items))
    return concatenate(list(tqdm(labelled_features(system, task, items, count), total=count, unit="clip", desc=label)))


def class_places(
    asked: Sequence[str] | None, classes: Sequence[str], known: LabelledFeatures, command: str
) -> list[int]:
    """Returns the indices of the classes to draw.

    Raises:
        ValueError: If a name is none of them.
    """
    if asked is None:
        return most_frequent_classes(known.labels, MOST_CLASSES)
    if strange := [name for name in asked if name not in classes]:
        raise ValueError(f"{command}: --classes {strange[0]!r} is none of {', '.join(classes)}.")
    return sorted({list(classes).index(name) for name in asked})


def caption_of(train: LabelledFeatures, asked: LabelledFeatures, seed: int) -> str:
    """Returns what stands below the figure: what a point is, and what the numbers are of."""
    clips = len(set(asked.clips.tolist())), len(set(train.clips.tolist()))
    majority = 100 * majority_share(torch.from_numpy(asked.labels)).item()
    # what a task scores may be another thing: whole clips, whose seconds are labelled
    points = "segments" if train.segments.any() else "clips"
    return (
        f"Points: {len(asked.labels)} {points} with a class, of {clips[0]} clips. t-SNE, seed {seed}.\n"
        f"Probe: logistic regression fitted on {len(train.labels)} {points} of {clips[1]} training clips, scored on "
        f"these;\nthe most frequent class alone gets {majority:.1f} %. Silhouette: of the features, not of the plane."
    )


def embedding_figure(
    panels: Mapping[Panel, Projection], asked: LabelledFeatures, names: Sequence[str], caption: str
) -> "Figure":
    """Draws the figure: a row per stream, original on the left, guided on the right."""
    drawn = [
        ScatterPanel(
            f"{stream}, {kind}",
            # a minus sign, as wide as the plus, in place of a hyphen
            f"probe {100 * found.probe:.1f} %, silhouette {found.silhouette:+.3f}".replace("-", "−"),
            torch.from_numpy(found.points),
        )
        for (stream, kind), found in panels.items()
    ]
    title = "Features before guidance and after it"
    return scatter_figure(drawn, torch.from_numpy(asked.labels), names, title=title, caption=caption)


def points_frame(panels: Mapping[Panel, Projection], asked: LabelledFeatures, names: Sequence[str]) -> "DataFrame":
    """Returns a line per point: its clip, its class, and where it lies in every panel."""
    columns = {
        "clip": asked.clips,
        "segment": asked.segments,
        "class": [names[label] for label in asked.labels.tolist()],
    }
    for (stream, kind), found in panels.items():
        columns |= {f"{stream}_{kind}_{axis}": found.points[:, at] for at, axis in enumerate("xy")}
    return need("pandas", "figure").DataFrame(columns)


def scores_frame(panels: Mapping[Panel, Projection]) -> "DataFrame":
    """Returns a line per panel."""
    columns = ["stream", "features", "probe", "majority", "silhouette"]
    lines = [(*panel, found.probe, found.majority, found.silhouette) for panel, found in panels.items()]
    return need("pandas", "figure").DataFrame(lines, columns=columns)
