"""What guidance is worth on the built-in world: `python -m crossmodal.recipes.world.compare`, a table over five seeds.

Every row is trained from the same frozen encoders, with the same head, schedule and number of clips; only what couples
the encoders differs. A seed draws the weights, the order and the world. Runs that are finished are not run again.
"""

import argparse
import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from crossmodal.evaluation.sweep import Run, sweep
from crossmodal.io import write_whole

SCHEDULE = (
    *("--data.clips", "2000", "--data.held_out", "200", "--trainer.max_epochs", "1"),
    *("--optim.schedule", "crossmodal.training.schedules.one_cycle", "--trainer.gradient_clip_val", "5"),
)
"""Of every row: 250 steps of 8 clips, none of them seen twice; tested on 200 clips, 2,000 seconds."""

FROZEN = ("--model.edges", "[]")
CONTROL = "crossmodal.adapters"
ROWS: Mapping[str, tuple[str, ...]] = {
    "audio only": ("--size", "crossmodal.recipes.world.single_modality.audio_only", *FROZEN),
    "visual only": ("--size", "crossmodal.recipes.world.single_modality.visual_only", *FROZEN),
    "late fusion": FROZEN,
    "LAVisH*": ("--recipe", "lavish"),
    "DG-SCT (released)": ("--recipe", "dg_sct_released"),
    "DG-SCT (paper)": (),
    "guided by another clip": ("--model.guide", f"{CONTROL}.shuffled"),
    "guided by nothing": ("--model.guide", f"{CONTROL}.no_guide"),
    "guided by its own stream": ("--model.guide", f"{CONTROL}.own_stream"),
    "late fusion, five times as long": (*FROZEN, "--trainer.max_epochs", "5"),
}
"""Row → options of `crossmodal ave fit` beside the schedule."""

BEGIN, END = "<!-- compare_ave: begin -->", "<!-- compare_ave: end -->"
PAGE = Path(__file__).parents[1] / "docs/recipes/ave.md"


class Row(NamedTuple):
    """What the runs of one row found, in [0, 1], seed by seed."""

    accuracy: tuple[float, ...]
    majority: tuple[float, ...]
    trained: int

    @property
    def mean(self) -> float:
        return statistics.fmean(self.accuracy)

    @property
    def deviation(self) -> float:
        """Sample standard deviation over seeds; zero for one seed."""
        return statistics.stdev(self.accuracy) if len(self.accuracy) > 1 else 0.0


def runs_of(seeds: Sequence[int], rows: Sequence[str] = tuple(ROWS)) -> list[Run]:
    """All runs, seed by seed, so that a table of fewer seeds is complete first."""
    return [Run(row, seed, (*SCHEDULE, *ROWS[row])) for seed in seeds for row in rows]


def gathered(folder: Path, seeds: Sequence[int], rows: Sequence[str] = tuple(ROWS)) -> dict[str, Row]:
    """What the finished runs found; rows of which some seed is missing are left out."""
    table = {}
    for row in rows:
        found = [run.summary(folder) for run in runs_of(seeds, [row])]
        if complete := [summary for summary in found if summary is not None]:
            if len(complete) < len(found):
                continue
            accuracy, majority = (tuple(s[name] for s in complete) for name in ("test_accuracy", "majority_accuracy"))
            table[row] = Row(accuracy, majority, complete[0]["trainable_parameters"])
    return table


def markdown(table: Mapping[str, Row]) -> str:
    """The table, and what the most frequent label would get."""
    lines = ["| | test accuracy, % of seconds | of each seed | trained parameters |", "|---|---|---|---|"]
    for name, row in table.items():
        seeds = " ".join(f"{100 * value:.1f}" for value in row.accuracy)
        lines.append(f"| {name} | {100 * row.mean:.1f} ± {100 * row.deviation:.1f} | {seeds} | {row.trained:,} |")
    majority = next(iter(table.values())).majority
    lines.append(f"| *the most frequent label* | *{100 * statistics.fmean(majority):.1f}* | | |")
    return "\n".join(lines)


def as_csv(table: Mapping[str, Row], seeds: Sequence[int]) -> str:
    """One line a run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seed", "test_accuracy", "majority_accuracy", "trained_parameters"])
    for name, row in table.items():
        for seed, accuracy, majority in zip(seeds, row.accuracy, row.majority, strict=True):
            writer.writerow([name, seed, accuracy, majority, row.trained])
    return text.getvalue()


def verdicts(table: Mapping[str, Row]) -> list[str]:
    """The claims that this comparison is made for, each with its figures, held or not."""
    guided, said = table["DG-SCT (paper)"], []
    for other in ("late fusion", "guided by another clip"):
        gap, spread = guided.mean - table[other].mean, max(guided.deviation, table[other].deviation)
        held = "holds" if gap > 2 * spread else "DOES NOT HOLD"
        said.append(
            f"{held}: DG-SCT beats “{other}” by more than two standard deviations "
            f"({100 * gap:+.1f} points; the larger deviation of the two is {100 * spread:.1f})."
        )
    best = max(table["audio only"].mean, table["visual only"].mean)
    held = "holds" if guided.mean - best > 0.15 else "DOES NOT HOLD"
    said.append(f"{held}: DG-SCT beats the better single modality by 15 points ({100 * (guided.mean - best):+.1f}).")
    return said


def probes(clips: int = 100) -> list[str]:
    """What the frozen encoders know: accuracy of linear probes on pooled features, a line a label."""
    from safetensors.torch import load_file

    from crossmodal.data.world import World
    from crossmodal.encoders.by_name.tiny import AUDIO, VISUAL
    from crossmodal.recipes.world.pretrain_world import pupils
    from crossmodal.recipes.world.world_probes import unimodal

    world = World("test", clips=clips)
    both = pupils(world)
    for name, file in (("visual", VISUAL), ("audio", AUDIO)):
        both[name].load_state_dict(load_file(file))
    return [f"  {label:20s} {accuracy:.3f}" for label, accuracy in unimodal(*both.eval().values(), world).items()]


def around(page: Path) -> tuple[str, str]:
    """What stands before and behind the table of a page. `ValueError` where the page has no place for it."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if BEGIN not in text or END not in text:
        raise ValueError(f"compare_ave: {page} has no place for the table: it lacks {BEGIN} and {END}.")
    return text.split(BEGIN)[0], text.split(END)[1]


def write_page(page: Path, block: str) -> None:
    """Puts `block` between the two marks of a page."""
    before, behind = around(page)
    write_whole(page, f"{before}{BEGIN}\n\n{block}\n\n{END}{behind}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m crossmodal.recipes.world.compare", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("runs/compare_ave"), help="default %(default)s")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time; default %(default)s")
    parser.add_argument("--page", type=Path, default=PAGE if PAGE.is_file() else None, help="default %(default)s")
    given = parser.parse_args(arguments)
    if given.page:
        around(given.page)  # before hours of training, not behind them
    print("Linear probes on pooled features of the frozen encoders, test clips of seed 0:", *probes(), sep="\n")
    sweep(runs_of(given.seeds), given.runs, workers=given.workers)
    table = gathered(given.runs, given.seeds)
    block = "\n".join([markdown(table), "", *(f"- {line}" for line in verdicts(table))])
    write_whole(given.runs / "table.md", block + "\n")
    write_whole(given.runs / "table.csv", as_csv(table, given.seeds))
    if given.page:
        write_page(given.page, block)
    print(block)


if __name__ == "__main__":
    main()
