"""`python -m benchmarks`: measures, keeps every measurement in a JSON file, writes the tables into the page.

Groups of measurements are named on the command line; by default all that the device is for. What the file holds already
is not measured again. Variants that are compared take turns in one process, and every group has a process of its own:
how fast large tensors come depends on what a process has done before. A quiet machine is needed for all that is timed:
it is told where it is not quiet.
"""

import argparse
import gc
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from .groups import GROUPS, ONCE, QUIET
from .machine import ROOT, commit, load, machine, warning_of
from .results import Results
from .setting import SIZES, Setting
from .tables import check_page, write_page

PAGE = ROOT / "docs/performance.md"
USUAL = {
    "cpu": tuple(name for name in GROUPS if name not in ("precision", "fidelity", "compiled")),
    "cuda": tuple(name for name in GROUPS if name not in ("products", "fidelity")),
}
"""Device → groups by default. By name alone: fidelity, whose place is on another page and to which a GPU adds nothing;
on the CPU `compiled`, whose compilers take minutes."""
ON_GPU = "-cuda"
"""What the names of the marks of a GPU's tables end in."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)} (default: all for the device)"
    )
    made.add_argument("--size", choices=list(SIZES), default="full", help="default %(default)s")
    made.add_argument("--device", choices=list(USUAL), default="cpu", help="default %(default)s")
    made.add_argument("--rounds", type=int, default=3, help="rounds of whole training steps; default %(default)s")
    made.add_argument("--threads", type=int, help="of the CPU (default: as torch has them)")
    made.add_argument("--again", action="store_true", help="forget what the file holds of these groups")
    made.add_argument("--out", type=Path, help="default benchmarks/results/SIZE-DEVICE.json")
    made.add_argument("--page", type=Path, help="default docs/performance.md at full size, else none")
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    given = parser().parse_args(argv)
    if unknown := [name for name in given.groups if name not in GROUPS]:
        raise ValueError(f"benchmarks: there is no group {unknown[0]!r}; there are {', '.join(GROUPS)}.")
    if given.rounds < 1:
        raise ValueError(f"benchmarks: --rounds={given.rounds} must be at least 1.")
    groups = given.groups or USUAL[given.device]
    page = given.page or (PAGE if given.size == "full" else None)
    ending = ON_GPU if given.device == "cuda" else ""
    if page:
        check_page(page, [name + ending for name in groups])
    if len(groups) > 1:
        each_alone(groups, given)
        return
    if given.threads:
        torch.set_num_threads(given.threads)
    (group,) = groups
    if group in QUIET and (words := warning_of(load())):
        print(words, file=sys.stderr)
    results = Results(given.out or ROOT / f"benchmarks/results/{given.size}-{given.device}.json", machine(given.device))
    setting = Setting(given.size, given.device, given.rounds, 0.1 if given.size == "full" else 0.0)
    measure(group, setting, results, again=given.again)
    block = f"{GROUPS[group][1](results.of(group))}\n\n{said(results, group)}"
    print(f"\n{group}\n\n{block}")
    if page:
        write_page(page, group + ending, block)


def each_alone(groups: Sequence[str], given: argparse.Namespace) -> None:
    """This command once a group, in a process of its own; the first that fails ends it, after its own words."""
    options = ["--again"] * given.again
    for name in ("size", "device", "rounds", "threads", "out", "page"):
        if (value := getattr(given, name)) is not None:
            options += [f"--{name}", str(value)]
    for group in groups:
        if failed := subprocess.run([sys.executable, "-m", "benchmarks", group, *options], check=False).returncode:
            sys.exit(failed)


def measure(group: str, setting: Setting, results: Results, *, again: bool = False) -> None:
    """Measures what is not known yet; the file is written after each."""
    from tqdm import tqdm

    if again:
        results.forget(group)
    runs = GROUPS[group][0](setting)
    with tqdm([name for name in runs if not results.has(group, name)], unit="measurement", desc=group) as bar:
        for name in bar:
            bar.set_postfix_str(name)
            before = load()
            results.add(group, name, {**runs[name](), "commit": commit(), "load": before})
            gc.collect()  # models lie in cycles, and the next measurement may need their room


def said(results: Results, group: str) -> str:
    """What was measured on, in one line."""
    on, found = results.content["machine"], results.of(group).values()
    commits = ", ".join(dict.fromkeys(of["commit"] for of in found))
    if group not in QUIET:
        return f"Commit {commits}; torch {on['torch']}."
    where = on.get("gpu") or f"{on['processor']}, {on['threads']} threads"
    busiest = max(of["load"] for of in found)
    how = "Median (smallest…largest) of rounds in turns" if group not in ONCE else "One stretch each"
    return (
        f"{how}. {where}; torch {on['torch']}; commit {commits}; "
        f"at most {busiest:.2f} processes a core before a measurement."
    )


if __name__ == "__main__":
    try:
        main()
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        sys.exit(f"{error}")
