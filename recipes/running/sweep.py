"""Many runs of `crossmodal ave fit`, each a process of its own: finished ones are skipped, interrupted ones go on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from .runs import CONFIG, SUMMARY


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    - `row`: what it belongs to: runs that differ in their seed alone share a row.
    - `seed`: of the run.
    - `options`: of `crossmodal ave fit`, without name, folder and seed.
    """

    row: str
    seed: int
    options: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """The options with the seed, of weights and of the data."""
        return [*self.options, "--seed", str(self.seed), "--data.seed", str(self.seed)]

    @property
    def name(self) -> str:
        """Of its folder: the row, the seed, and a hash of the options, so that other options are another run."""
        slug = "-".join("".join(c if c.isalnum() else " " for c in self.row.lower()).split())
        return f"{slug}-{self.seed}-{sha256(json.dumps(self.words).encode()).hexdigest()[:8]}"

    def command(self, runs: Path) -> list[str]:
        """The command line that begins the run in a folder of runs, or goes on with it."""
        begun = (runs / self.name / CONFIG).is_file()
        going_on = ["--resume", "true"] if begun else []
        return ["ave", "fit", "--runs", str(runs), "--name", self.name, *going_on, *self.words]

    def summary(self, runs: Path) -> dict[str, Any] | None:
        """What the run found, or `None` where it is not finished."""
        file = runs / self.name / SUMMARY
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return found if "test_accuracy" in found else None


def sweep(runs: Sequence[Run], folder: Path, *, workers: int = 1, start: Callable[..., int] | None = None) -> None:
    """Finishes every run in `folder`; what a run prints goes to `<name>.log` beside its folder.

    - `workers`: runs at a time; they share the cores evenly.
    - `start`: `(command, log) -> exit code`; by default a process of this Python.

    Raises `RuntimeError` naming every run that failed and its log; the others are finished first.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    waiting = [run for run in runs if run.summary(folder) is None]
    threads = max((os.cpu_count() or 1) // workers, 1)
    failed = []
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(runs), initial=len(runs) - len(waiting), unit="run", desc="runs") as bar,
    ):
        launch = start or process
        begun = {
            pool.submit(launch, run.command(folder), folder / f"{run.name}.log", threads=threads): run
            for run in waiting
        }
        for done in finishing(begun, pool):
            run = begun[done]
            if done.result() or run.summary(folder) is None:
                failed.append(f"{run.name}: see {folder / run.name}.log")
            bar.set_postfix_str(run.row)
            bar.update()
    if failed:
        raise RuntimeError("\n".join([f"{len(failed)} of {len(runs)} runs failed:", *failed]))


def finishing(begun: Any, pool: ThreadPoolExecutor) -> Iterator[Any]:
    """The futures as they finish; those not yet begun are given up where this is interrupted."""
    try:
        yield from as_completed(begun)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def process(command: Sequence[str], log: Path, *, threads: int) -> int:
    """Runs `crossmodal` with these words in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    with log.open("w", encoding="utf-8") as said:
        words = [sys.executable, "-m", "recipes", *command, "--trainer.enable_progress_bar", "false"]
        return subprocess.run(words, env=environment, stdout=said, stderr=subprocess.STDOUT, check=False).returncode
