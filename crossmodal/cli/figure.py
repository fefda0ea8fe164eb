"""`crossmodal ave figure`: where the features of seconds lie, before guidance and after it, class by class."""

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from crossmodal.cli.predict import load_run
from crossmodal.data.extras import need
from crossmodal.data.many_videos.video_folder import int_at_least
from crossmodal.drawing import ScatterPanel, scatter_figure
from crossmodal.evaluation.embedding import (
    KINDS,
    STREAMS,
    Placed,
    Seconds,
    clip_by_clip,
    commonest,
    joined,
    majority,
    place,
)
from crossmodal.evaluation.report.look_picture import write_figure
from crossmodal.io import write_whole
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.training.data_module import ClipData, Clips
from crossmodal.training.run_folder import asks_for_run, find_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ABOUT = """Draws the features of seconds with an event by t-SNE: visual and audio, original (the frozen encoders, mean
over tokens) and guided (what the heads read), the same classes and colours in all four panels. Above each panel stand
the accuracy of a linear probe, fitted on training clips and scored on the asked split, and the silhouette of the
classes, both in the features, not in the plane. Writes figure/SPLIT.png, SPLIT.csv (where the points lie) and
SPLIT_scores.csv."""

FOLDER, MOST = "figure", 8
PANELS = [(stream, kind) for stream in STREAMS for kind in KINDS]


def figure(argv: Sequence[str]) -> None:
    """Draws the figure and writes its points and numbers."""
    given = options().parse_args(list(argv))
    for module in ("sklearn", "matplotlib", "tqdm"):
        need(module, "crossmodal ave figure")
    run = find_run(given.runs, given.at or given.run)
    model, trained = load_run(run)
    model.to(given.device)
    trained.data.preprocess = model.preprocess
    trained.data.ready()
    print(f"ave figure: {given.split} split of {told_data(trained.data)}, by {run}", flush=True)
    train = features(model, trained.data.split("train"), given.train_clips, "training clips")
    asked = features(model, trained.data.split(given.split), given.clips, f"{given.split} clips")
    kept = picked(given.classes, model.classes, asked)
    train, asked = train.of(kept), asked.of(kept)
    placed = {panel: place(train, asked, panel, seed=given.seed) for panel in PANELS}
    out = given.out or run / FOLDER
    out.mkdir(parents=True, exist_ok=True)
    names = [model.classes[label] for label in kept]
    caption = told(f"{given.split} split of {told_data(trained.data)}", train, asked, given.seed)
    write_figure(out / f"{given.split}.png", drawn(placed, asked, names, f"Run: {run.name}.\n{caption}"))
    write_whole(out / f"{given.split}.csv", points_csv(placed, asked, names))
    write_whole(out / f"{given.split}_scores.csv", scores_csv(placed))
    print(scores_csv(placed), end="")
    print(f"written to {out}/")


def options() -> argparse.ArgumentParser:
    """The parser of `figure`."""
    parser = argparse.ArgumentParser(prog="crossmodal ave figure", description=ABOUT)
    add = parser.add_argument
    add("at", type=Path, nargs="?", metavar="RUN", help="folder of the run; the same as --run")
    asks_for_run(parser)
    add("--split", choices=("val", "test"), default="test", help="whose seconds are drawn (default: test)")
    add("--clips", type=int_at_least(1), default=100, help="of that split, from its first on (default: 100)")
    add("--train_clips", type=int_at_least(1), default=300, help="that the probe is fitted on (default: 300)")
    classes = f"names of the classes to draw (default: the {MOST} with most seconds)"
    add("--classes", nargs="+", metavar="NAME", help=classes)
    add("--seed", type=int, default=0, help="of t-SNE (default: 0)")
    add("--out", type=Path, help="folder to write to (default: figure/ in the run's folder)")
    add("--device", default="cpu", help="where the model runs (default: cpu)")
    return parser


def features(model: AudioVisualEvents, clips: Clips, most: int, label: str) -> Seconds:
    """The seconds of the first clips, under a bar."""
    from tqdm import tqdm

    count = min(most, len(clips))
    return joined(list(tqdm(clip_by_clip(model, clips, count), total=count, unit="clip", desc=label)))


def picked(asked: Sequence[str] | None, classes: Sequence[str], found: Seconds) -> list[int]:
    """The classes to draw; `ValueError` for a name that is none."""
    if asked is None:
        return commonest(found.labels, MOST)
    if strange := [name for name in asked if name not in classes]:
        raise ValueError(f"ave figure: --classes {strange[0]!r} is none of {', '.join(classes)}.")
    return sorted({list(classes).index(name) for name in asked})


def told_data(data: ClipData) -> str:
    """Which data, in words."""
    own = getattr(data, "folder", None) or getattr(data, "root", None)
    return f"the data set {own}" if own else "the built-in world (procedural clips, no real data)"


def told(data: str, train: Seconds, asked: Seconds, seed: int) -> str:
    """What stands below the figure: which data, and what the numbers are of."""
    clips = len(set(asked.clips.tolist())), len(set(train.clips.tolist()))
    return (
        f"Data: {data}.\nA point is a second with an event ({len(asked.labels)} of {clips[0]} clips; "
        f"those of a clip lie together). t-SNE, seed {seed}.\nProbe: logistic regression fitted on "
        f"{len(train.labels)} seconds of {clips[1]} training clips, scored on\nthese; the commonest class alone gets "
        f"{100 * majority(asked.labels):.1f} %. Silhouette: of the features, not of the plane."
    )


def drawn(placed: Mapping[tuple[str, str], Placed], asked: Seconds, names: Sequence[str], caption: str) -> "Figure":
    """The figure: a row a stream, original on the left, guided on the right."""
    panels = [
        ScatterPanel(
            f"{stream}, {kind}",
            f"probe {100 * found.probe:.1f} %, silhouette {found.silhouette:+.3f}".replace("-", "−"),
            torch.from_numpy(found.points),
        )
        for (stream, kind), found in placed.items()
    ]
    labels, title = torch.from_numpy(asked.labels), "Features before guidance and after it"
    return scatter_figure(panels, labels, names, title=title, caption=caption)


def points_csv(placed: Mapping[tuple[str, str], Placed], asked: Seconds, names: Sequence[str]) -> str:
    """A row a second: its clip, its class, and where it lies in every panel."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    axes = [f"{stream}_{kind}_{axis}" for stream, kind in placed for axis in "xy"]
    writer.writerow(["clip", "segment", "class", *axes])
    for at, label in enumerate(asked.labels.tolist()):
        where = [f"{value:.4f}" for found in placed.values() for value in found.points[at].tolist()]
        writer.writerow([asked.clips[at], asked.segments[at], names[label], *where])
    return written.getvalue()


def scores_csv(placed: Mapping[tuple[str, str], Placed]) -> str:
    """A row a panel."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(["stream", "features", "probe", "majority", "silhouette"])
    for (stream, kind), found in placed.items():
        writer.writerow([stream, kind, f"{found.probe:.4f}", f"{found.majority:.4f}", f"{found.silhouette:.4f}"])
    return written.getvalue()
