"""Positions that each guidance can pick, as a matrix: `python -m crossmodal.evaluation.picking`.

`--mine mylab.TopK` adds a column for a guidance of your own.

No encoders, no data: streams in which only the cue tells where the label stands, see `crossmodal.testing.slots`.
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import crossmodal
from crossmodal.data.extras import need
from crossmodal.drawing.canvas import new_figure
from crossmodal.guidance import ChannelGuidance, ClipGuidance, FrequencyGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.io import whole_file
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.resolve import find_function
from crossmodal.testing import picks
from crossmodal.testing.guidance import AnyGuidanceFactory
from crossmodal.testing.slots import TASKS

GUIDANCES: Mapping[str, AnyGuidanceFactory | None] = {
    "none": None,
    "channel": ChannelGuidance,
    "spatial": SpatialGuidance,
    "frequency": FrequencyGuidance,
    "clip": ClipGuidance,
    "segment": SegmentGuidance,
}
Matrix = Mapping[str, Mapping[str, Sequence[float]]]
"""Task → guidance → accuracies, one per seed."""


def matrix(
    guidances: Mapping[str, AnyGuidanceFactory | None] = GUIDANCES,
    *,
    tasks: Sequence[str] = tuple(TASKS),
    seeds: Sequence[int] = (0, 1, 2),
    shuffled: bool = False,
) -> Matrix:
    """Trains every guidance alone at every task; prints its progress on standard error.

    Args:
        guidances: Name → guidance; `None` trains without one.
        tasks: Names of the tasks, see `crossmodal.testing.slots`.
        seeds: Seeds of data and weights.
        shuffled: Gives every clip the cue of another, so that nothing can be picked.

    Returns:
        Task → guidance → accuracies, one per seed.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for task in tasks:
        found[task] = {}
        for name, factory in guidances.items():
            print(f"\r{task}: {name:<20}", end="", file=sys.stderr)
            found[task][name] = [picks(factory, task, seed=seed, shuffled=shuffled) for seed in seeds]
    print("\r" + " " * 40, end="\r", file=sys.stderr)
    return found


def markdown_table(found: Matrix) -> str:
    """Returns a Markdown table of mean accuracies and deviations over seeds, in percent; the winners are bold."""
    pandas = need("pandas", "a table of what is picked")
    need("tabulate", "a table in Markdown")
    rows = {}
    for task, by_guidance in found.items():
        best = max(statistics.mean(values) for values in by_guidance.values())
        rows[task] = {
            # no winner where the best is near chance, several where they are near each other
            name: cell(values, best > 0.6 and statistics.mean(values) > best - 0.05)
            for name, values in by_guidance.items()
        }
    frame = pandas.DataFrame.from_dict(rows, orient="index").rename_axis("the cue picks a")
    return str(frame.to_markdown(disable_numparse=True))


def cell(values: Sequence[float], wins: bool) -> str:
    """Returns mean ± deviation over seeds; bold where it wins."""
    text = f"{100 * statistics.mean(values):.0f} ± {100 * statistics.pstdev(values):.0f}"
    return f"**{text}**" if wins else text


def draw_matrix(found: Matrix, path: Path) -> None:
    """Draws a heat map of mean accuracies; chance is white."""
    tasks, names = list(found), list(next(iter(found.values())))
    means = [[100 * statistics.mean(found[task][name]) for name in names] for task in tasks]
    figure = new_figure(1.3 + 0.75 * len(names), 0.7 + 0.45 * len(tasks))
    axes = figure.add_axes((1.2 / figure.get_figwidth(), 0.04, 0.97 - 1.2 / figure.get_figwidth(), 0.8))
    axes.imshow(means, vmin=0, vmax=100, cmap="RdBu", aspect="auto")
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_yticks(range(len(tasks)), tasks, fontsize=8)
    axes.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    for row, values in enumerate(means):
        for column, value in enumerate(values):
            colour = "white" if value > 85 else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color=colour)
    with whole_file(path) as draft:
        figure.savefig(draft, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the matrix, and draws it where a file is named."""
    parser = OptionParser(prog="python -m crossmodal.evaluation.picking", description=__doc__)
    parser.add_argument("--mine", action="append", default=[], help="import path of a guidance class of your own")
    parser.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=tuple(TASKS), metavar="TASK", help="rows")
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2), help="default 0 1 2")
    parser.add_argument("--shuffled", action="store_true", help="every clip has the cue of another: nothing is picked")
    parser.add_argument("--figure", type=Path, help="a heat map to write, .png or .svg")
    given = parser.parse_args(arguments)
    sys.path.insert(0, os.getcwd())  # so that `--mine mylab.TopK` finds mylab.py here
    mine = {path.rpartition(".")[2]: find_function(path) for path in given.mine}
    with crossmodal.shape_checks(False):
        found = matrix({**GUIDANCES, **mine}, tasks=given.tasks, seeds=given.seeds, shuffled=given.shuffled)
    print(markdown_table(found))
    if given.figure:
        draw_matrix(found, given.figure)


if __name__ == "__main__":
    main()
