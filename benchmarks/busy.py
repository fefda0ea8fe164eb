"""`python -m benchmarks.busy`: what another process on the machine costs a training step, by how threads wait.

Threads of OpenMP that wait for each other spin by default; where another process has one of their cores, all of them
spin for it. The commands of `crossmodal` let them sleep while others are at work, and spin while none is
(`crossmodal/cli/waiting.py`). Every figure is a process of its own, in turns.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from statistics import median

from crossmodal.cli.waiting import SET, waiting_by_load

COMMAND = "all threads, as a command"
"""The one that looks at the load of the machine."""
WAITS = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "all threads, spinning": {},
    "all threads, asleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    COMMAND: {},
}
"""Name → variables of the environment."""
SECONDS, WARM = 10.0, 1.5
"""At most, of a figure, and before it; one step is always measured whole."""


def seconds_a_step() -> float:
    """Returns the seconds of a training step of DG-SCT on the tiny encoders, one clip, in this process."""
    import torch

    from crossmodal.data import World
    from crossmodal.evaluation.items import batch_of
    from crossmodal.recipes.ave.dg_sct import dg_sct

    torch.manual_seed(0)
    model = dg_sct().train()
    clip = batch_of(World("train", clips=1)[0], model)

    def step() -> None:
        sum(model.loss(model(clip), clip).values(), torch.zeros(())).backward()

    def timed(seconds: float) -> float:
        began, steps = time.perf_counter(), 0
        while steps == 0 or time.perf_counter() - began < seconds:
            step()
            steps += 1
        return (time.perf_counter() - began) / steps

    timed(WARM)
    return timed(SECONDS)


@contextmanager
def others(number: int) -> Iterator[None]:
    """Runs so many processes that keep a core busy each, until the block ends."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measured(name: str) -> float:
    """Returns the seconds a step in a process whose threads wait so."""
    environment = {
        known: value for known, value in os.environ.items() if known not in (*SET, "MKL_NUM_THREADS")
    } | WAITS[name]
    words = [sys.executable, "-m", "benchmarks.busy", "--one", name]
    return float(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("--others", type=int, nargs="+", default=[0, 1], help="busy processes beside (default: 0 1)")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    parser.add_argument("--one", choices=list(WAITS), help="measure this process alone, which was begun so")
    given = parser.parse_args(argv)
    if given.one:
        with waiting_by_load() if given.one == COMMAND else nullcontext():
            print(seconds_a_step())
        return
    print(f"| {'processes beside':>16} | " + " | ".join(WAITS) + " |\n|---:|" + "---:|" * len(WAITS))
    for number in given.others:
        with others(number):
            rounds = [{name: measured(name) for name in WAITS} for _ in range(given.rounds)]
        found = {name: median(of[name] for of in rounds) for name in WAITS}
        cells = [f"{1000 * seconds:.0f} ms ({seconds / min(found.values()):.2f}×)" for seconds in found.values()]
        print(f"| {number} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
