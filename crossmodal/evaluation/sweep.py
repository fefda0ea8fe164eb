"""Many runs of `crossmodal ave fit`, each a process of its own: finished ones are skipped, interrupted ones go on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock, current_thread, main_thread
from time import monotonic
from typing import Any, NoReturn

from crossmodal.training.run_folder import CONFIG, SUMMARY

QUIET = ("--trainer.enable_progress_bar", "false")
INTERRUPTED = 130


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    - `row`: what it belongs to: runs that differ in their seed alone share a row.
    - `seed`: of the run.
    - `options`: of `crossmodal ave fit`, without name, folder and seed.
    - `configuration`: what the options amount to, where they can be written in several ways.
    """

    row: str
    seed: int
    options: tuple[str, ...]
    configuration: str = ""

    @property
    def words(self) -> list[str]:
        """The options with the seed, of weights and of the data."""
        return [*self.options, "--seed", str(self.seed), "--data.seed", str(self.seed)]

    @property
    def name(self) -> str:
        """Of its folder: the row, the seed, and a hash of the options, so that other options are another run."""
        slug = "-".join("".join(c if c.isalnum() else " " for c in self.row.lower()).split())
        options = [self.configuration, str(self.seed)] if self.configuration else self.words
        return f"{slug}-{self.seed}-{sha256(json.dumps(options).encode()).hexdigest()[:8]}"

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

    - `workers`: runs at a time; they share the cores evenly, or have the threads that `OMP_NUM_THREADS` names.
    - `start`: `(command, log) -> exit code`; by default a process of this Python.

    Raises `RuntimeError` naming every run that failed and its log; the others are finished first.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    waiting = [run for run in runs if run.summary(folder) is None]
    threads = int(os.environ.get("OMP_NUM_THREADS", max((os.cpu_count() or 1) // workers, 1)))
    failed = []
    with (
        terminated_as_interrupted(),
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(runs), initial=len(runs) - len(waiting), unit="run", desc="runs") as bar,
    ):
        processes = Processes()
        launch = start or processes
        begun = {
            pool.submit(launch, run.command(folder), folder / f"{run.name}.log", threads=threads): run
            for run in waiting
        }
        for done in finishing(begun, pool, processes):
            run = begun[done]
            if done.result() or run.summary(folder) is None:
                failed.append(f"{run.name}: see {folder / run.name}.log")
            bar.set_postfix_str(run.row)
            bar.update()
    if failed:
        raise RuntimeError("\n".join([f"{len(failed)} of {len(runs)} runs failed:", *failed]))


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Where SIGTERM, by which a scheduler ends a job, does what Ctrl-C does: no run outlives its sweep."""

    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt("terminated; the same command goes on")

    if current_thread() is not main_thread():  # where Python lets nobody listen
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finishing(begun: Any, pool: ThreadPoolExecutor, processes: "Processes") -> Iterator[Any]:
    """The futures as they finish; where this is interrupted, no more begin, and those that run are ended."""
    try:
        yield from as_completed(begun)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        processes.end()
        raise


class Processes:
    """Runs `crossmodal` in processes of this Python, which import what this one can; `end` ends those that run."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.ended, self.lock = False, Lock()

    def __call__(self, command: Sequence[str], log: Path, *, threads: int) -> int:
        """Runs one command; what it says goes to `log`. Returns its exit code."""
        with log.open("w", encoding="utf-8") as said:
            with self.lock:
                if self.ended:
                    return INTERRUPTED
                words = [sys.executable, "-m", "crossmodal", *command, *QUIET]
                process = subprocess.Popen(words, env=environment(threads), stdout=said, stderr=subprocess.STDOUT)
                self.running.add(process)
            try:
                return process.wait()
            finally:
                self.running.discard(process)

    def end(self, patience: float = 10.0) -> None:
        """Lets no process begin, and ends those that run: Ctrl-C has told them already where it was one."""
        with self.lock:
            self.ended = True
        for tell in (lambda process: None, subprocess.Popen.terminate, subprocess.Popen.kill):
            running, until = [*self.running], monotonic() + patience
            for process in running:
                tell(process)
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(until - monotonic(), 0))


def environment(threads: int) -> dict[str, str]:
    """Of a run: so many threads, and the modules that can be imported here."""
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": path}
