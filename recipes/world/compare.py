"""Comparison of couplings on the built-in world: `python -m crossmodal.recipes.world.compare`, a table over five seeds.

All rows have the same frozen encoders, head, schedule and number of clips; only what couples the encoders differs. A
seed draws the weights, the order and the world. This is `crossmodal ave compare` with fixed rows and three claims.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossmodal.cli.compare import compare_parser, compare_rows
from crossmodal.evaluation.page_marks import write_between
from crossmodal.evaluation.result_table import ResultTable
from crossmodal.tasks.ave import TASK

SCHEDULE = (
    *("--data.clips", "2000", "--data.held_out", "200", "--trainer.max_epochs", "1"),
    *("--optim.schedule", "crossmodal.training.schedules.one_cycle", "--trainer.gradient_clip_val", "5"),
)
"""Options of every row: 250 steps of 8 clips, none of them seen twice; tested on 200 clips, 2,000 seconds."""

UNCOUPLED = ("--model.edges", "[]")
ALONE = "crossmodal.recipes.world.single_modality"
CONTROL = "crossmodal.adapters"
ROWS: Mapping[str, tuple[str, ...]] = {
    "audio only": ("--system", f"{ALONE}.audio_only", *UNCOUPLED),
    "visual only": ("--system", f"{ALONE}.visual_only", *UNCOUPLED),
    "late fusion": UNCOUPLED,
    "LAVisH*": ("--system", "lavish"),
    "DG-SCT (released)": ("--system", "dg_sct_released"),
    "DG-SCT (paper)": (),
    "guided by another clip": ("--model.guide", f"{CONTROL}.shuffled"),
    "guided by nothing": ("--model.guide", f"{CONTROL}.no_guide"),
    "guided by its own stream": ("--model.guide", f"{CONTROL}.own_stream"),
    "late fusion, five times as long": (*UNCOUPLED, "--trainer.max_epochs", "5"),
}
"""Row → options of `crossmodal ave fit` beside the schedule."""

BASELINE = "late fusion"
COLUMNS = ("score", "seeds", "difference", "trained")
"""No published scores: those are of other encoders and of real data."""
MARK = "compare_ave"
PAGE = Path(__file__).resolve().parents[2] / "docs/recipes/ave.md"


def verdicts(table: ResultTable) -> list[str]:
    """Returns the claims that this comparison is made for, each with its figures, held or not."""
    guided, said = table["DG-SCT (paper)"], []
    for other in ("late fusion", "guided by another clip"):
        gap = guided.mean - table[other].mean
        spread = max(guided.deviation or 0.0, table[other].deviation or 0.0)
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
    """Returns the accuracy of linear probes on pooled features of the frozen encoders, a line per label."""
    from safetensors.torch import load_file

    from crossmodal.data.world import World
    from crossmodal.encoders.by_name.tiny import AUDIO, VISUAL
    from crossmodal.training.world.pretrain import pair_of, probed_encoders
    from crossmodal.training.world.probes import unimodal

    world = World("test", clips=clips)
    both = probed_encoders(world)
    for name, file in (("visual", VISUAL), ("audio", AUDIO)):
        both[name].load_state_dict(load_file(file))
    found = unimodal(*pair_of(both.eval()), world)
    return [f"  {label:20s} {accuracy:.3f}" for label, accuracy in found.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains the rows, prints table and verdicts; returns the exit code."""
    options = compare_parser(TASK)
    options.prog, options.description, options.epilog = f"python -m {__spec__.name}", str(__doc__), None
    options.set_defaults(
        page=PAGE if PAGE.is_file() else None, runs=Path("runs/compare_ave"), baseline=BASELINE, systems=None
    )
    given = options.parse_args(arguments)
    if given.systems or given.row:
        options.error("the rows are fixed here: use `crossmodal ave compare` for others.")
    if not given.print_commands:
        print("Linear probes on pooled features of the frozen encoders, test clips of seed 0:", *probes(), sep="\n")
    code, table = compare_rows(TASK, ROWS, SCHEDULE, given, columns=COLUMNS, mark=MARK)
    if table is not None and all(name in table.variants and _done(table, name) for name in ROWS):
        said = [f"- {line}" for line in verdicts(table)]
        print("", *said, sep="\n")
        if given.page:
            write_between(given.page, MARK, "\n".join([table.markdown(), *said]))
    return code


def _done(table: ResultTable, name: str) -> bool:
    """Returns whether a run of a row is finished."""
    return any(row.name == name for row in table.rows)


if __name__ == "__main__":
    sys.exit(main())
