"""`crossmodal TASK look`: the maps of a run, the effect of its guides, and whether both point at what sounds."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from crossmodal.data import World
from crossmodal.data.extras import need
from crossmodal.data.many_videos.video_folder import int_at_least
from crossmodal.data.published_tables import SPLITS
from crossmodal.data.source import Items
from crossmodal.data.table_cell import csv_text
from crossmodal.drawing.canvas import write_figure
from crossmodal.evaluation.counterfactuals import no_guides_reason
from crossmodal.evaluation.items import batch_of_items
from crossmodal.evaluation.map_effects import effects_frame, effects_text, map_effects
from crossmodal.evaluation.pointing import (
    ANY,
    SOUNDING,
    WorldEffects,
    mean_probabilities,
    pointing_frame,
    pointing_rows,
    pointing_text,
    probabilities_frame,
    world_effects,
)
from crossmodal.evaluation.report.guide_figure import guide_figure
from crossmodal.io import make_folder, write_whole
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled, Task
from crossmodal.training.run import feature_folder, load_run, prepare_source_of_run
from crossmodal.training.run_folder import add_run_options, find_run, one_run

from .check_device import check_device

ABOUT = """Draws some items of a run: frames, the last map of either stream, how far each token moves when its guide is
taken away, and the probability of the true label with and without. On the built-in world, which knows where the
sounding object is, maps and counterfactuals play the pointing game, with chance beside it, and every map is replaced by
its mean, by its values in another order and by random ones. Writes looking/ in the run's folder: one PNG per item,
pointing.csv, scores.csv and maps.csv."""

LOOKING = "looking"


def look(argv: Sequence[str], task: Task) -> int:
    """Prints how often maps and counterfactuals point at the sounding object, and draws some items.

    Returns:
        Exit code: 2 where the system has no guides to look at, 1 where no item could be drawn.
    """
    command = f"{task.name} look"
    given = look_options(command).parse_args(list(argv))
    check_device(given.device, command)
    for module in ("matplotlib", "tqdm", "pandas"):
        need(module, f"crossmodal {command}")
    run = find_run(given.runs, one_run(given.at, given.run, command), task.name)
    system, trained = load_run(run, task)
    reason = no_guides_reason(system, task, trained.system)
    if reason or not isinstance(system, CoupledSystem) or not isinstance(task, Labelled):
        print(f"crossmodal: {command}: {reason}", file=sys.stderr)
        return 2
    system.to(given.device)
    source = prepare_source_of_run(trained.data, system, feature_folder(run.parent), splits=(given.split,))
    items = source.split(given.split)
    out = given.out or run / LOOKING
    make_folder(out)
    if isinstance(items, World):
        scored = min(given.clips, len(items))
        print(f"{command}: {scored} clips of the {given.split} split of the built-in world, by {run}", flush=True)
        play(system, task, items, scored, out)
        write_map_effects(system, task, items, scored, out)
    else:
        print(f"{command}: no pointing game, for these items do not say where things are", flush=True)
    wanted = spread(len(items), given.figures)
    drawn = sum(draw_guides(system, task, items, index, out) for index in wanted)
    print(f"{drawn} of {len(wanted)} items drawn" if drawn < len(wanted) else f"{drawn} items drawn")
    print(f"written to {out}/" if any(out.iterdir()) else f"nothing was written to {out}/")
    return 1 if wanted and not drawn else 0


def look_options(command: str) -> OptionParser:
    """Returns the parser of `look`."""
    parser = OptionParser(prog=f"crossmodal {command}", description=ABOUT)
    add = parser.add_argument
    add("at", type=Path, nargs="?", metavar="RUN", help="folder of the run; the same as --run")
    add_run_options(parser)
    add("--split", choices=SPLITS, default="test", help="split that is looked at (default: test)")
    add("--clips", type=int_at_least(1), default=100, help="clips of the built-in world that are scored (default: 100)")
    add("--figures", type=int_at_least(0), default=3, help="items that are drawn, evenly spaced (default: 3)")
    add("--out", type=Path, help="folder to write to (default: looking/ in the run's folder)")
    add("--device", default="cpu", help="where the system runs (default: cpu)")
    return parser


def draw_guides(system: CoupledSystem, task: Labelled, items: Items, index: int, out: Path) -> bool:
    """Writes the figure of one item and returns whether it was; prints why not: a placebo, say, reads another item."""
    outlines = torch.from_numpy(items.truth(index).event_mask) if isinstance(items, World) else None
    file = out / f"{items.names[index].replace('/', '_')}.png"
    try:
        write_figure(file, guide_figure(system, task, items[index], outlines))
    except ValueError as error:
        print(f"{file} was not drawn: {error}")
        return False
    return True


def play(system: CoupledSystem, task: Labelled, world: World, clips: int, out: Path) -> None:
    """Plays the pointing game on the first clips under a bar; prints and writes its scores."""
    from tqdm import tqdm

    parts = []
    with tqdm(total=clips, unit="clip", desc="looking") as bar:
        for part in world_effects(system, task, world, range(clips)):
            parts.append(part)
            bar.update(len(part.clips))
    write_scores(system, parts, out)


def write_scores(system: CoupledSystem, parts: Sequence[WorldEffects], out: Path) -> None:
    """Prints and writes the pointing game and the probabilities."""
    rows = pointing_rows(system, parts)
    print(f"{sum(int(part.shown.sum()) for part in parts)} seconds in which a visible object sounds")
    for target in (SOUNDING, ANY) if rows else ():
        print(f"\n{pointing_text(rows, target)}")
    print("\nmean probability of the true label where a visible object sounds")
    for name, mean in mean_probabilities(parts).items():
        print(f"{name:<26} {mean:.3f}")
    labels = (*system.classes, "background")
    for name, table in (("pointing", pointing_frame(rows)), ("scores", probabilities_frame(parts, labels))):
        write_whole(out / f"{name}.csv", csv_text(table, float_format="%.6f"))


def write_map_effects(system: CoupledSystem, task: Task, world: World, clips: int, out: Path) -> None:
    """Prints and writes what the score, streams and residuals lose where each map is replaced by another."""
    batches = [batch_of_items([world[i] for i in range(at, min(at + 8, clips))], system) for at in range(0, clips, 8)]
    effects = map_effects(system, task, batches)
    if not effects:
        return
    print(
        f"\nwhat each map does: how far residuals and streams move, and the points of {task.monitor} lost, without it"
    )
    print(effects_text(effects))
    frame = effects_frame(effects)
    write_whole(out / "maps.csv", frame.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def spread(items: int, count: int) -> list[int]:
    """Returns the indices of so many items, evenly spaced."""
    count = min(count, items)
    return [round(at * (items - 1) / max(1, count - 1)) for at in range(count)]
