"""Many runs of `crossmodal TASK fit`, each a process of its own: finished ones are skipped, interrupted ones go on."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from crossmodal.evaluation.logged_command import LoggedCommand, run_logged, wait_for_logs
from crossmodal.io import wait_until_seen
from crossmodal.training.run_folder import CONFIG, SUMMARY, TEST, read_summary
from crossmodal.worker_pool import THREADS, Failure, worker_pool

SEED = "{seed}"
"""Stands for the seed of a run in options that all runs share."""

QUIET = ("--trainer.enable_progress_bar", "false")


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        task: Word of the task on the command line.
        row: Name of what it belongs to: runs that differ in their seed alone share a row.
        seed: Of the run.
        options: Options of `crossmodal TASK fit`, without name, folder and seed; `{seed}` in one stands for the seed.
        configuration: The resolved options, by which the run is known however they are written.
    """

    task: str
    row: str
    seed: int
    options: tuple[str, ...]
    configuration: str

    @property
    def words(self) -> list[str]:
        """The options with the seed, of weights and of the data."""
        return [*with_seed(self.options, self.seed), "--seed", str(self.seed), "--data.seed", str(self.seed)]

    @property
    def name(self) -> str:
        """Name of its folder where it is new: row, seed, and a hash of the configuration."""
        return f"{slug(self.row)}-{self._known_by}"

    @property
    def _known_by(self) -> str:
        """Seed, and a hash of the configuration, so that other options are another run.

        The hash is that of all seeds, so that `{seed}` in an option of another study can name the runs of this one.
        """
        return f"{self.seed}-{sha256(self.configuration.encode()).hexdigest()[:8]}"

    def begun(self, runs: Path) -> list[Path]:
        """Returns the folders of the run, which studies may have begun under names of rows of their own."""
        return [path.parent for path in sorted(runs.glob(f"*-{self._known_by}/{CONFIG}"))]

    def place(self, runs: Path) -> Path:
        """Returns the folder of the run: where it is finished, or begun, or its own where it is new."""
        own, begun = runs / self.name, self.begun(runs)
        finished = [path for path in begun if TEST in read_summary(path)]
        # a finished one before its own, so that no run is trained twice
        return [*finished, *({own} & {*begun}), *begun, own][0]

    def command(self, runs: Path) -> list[str]:
        """Returns the command line that starts the run in a folder of runs, or goes on with it."""
        place = self.place(runs)
        going_on = "true" if (place / CONFIG).is_file() else "false"
        return [self.task, "fit", *self.words, *named(place), "--resume", going_on]

    def summary(self, runs: Path) -> dict[str, Any] | None:
        """Returns the summary of the run, or `None` where it is not finished."""
        found = read_summary(self.place(runs))
        return found if TEST in found else None


def named(place: Path) -> list[str]:
    """Returns the options by which a run has its folder.

    They stand behind all others: a file of options names a run, too, and what is said last holds.
    """
    return ["--runs", str(place.parent), "--name", place.name]


def with_seed(options: Sequence[str], seed: int) -> list[str]:
    """Returns options with the seed in place of `{seed}`, so that a row can start from another run of each seed."""
    return [word.replace(SEED, str(seed)) for word in options]


def slug(text: str) -> str:
    """Returns a text as part of a folder's name: small letters and digits, with dashes between words.

    A text without any, such as `→`, has the beginning of its hash: an option without a value would name nothing.
    """
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words) or sha256(text.encode()).hexdigest()[:8]


def sweep(runs: Sequence[SweepRun], folder: Path, *, workers: int = 1, cluster: str | None = None) -> None:
    """Finishes every run; what a run prints goes to `<name>.log` beside its folder.

    A run that fails, or whose worker dies, fails alone. Ctrl-C and SIGTERM end all processes.

    Args:
        runs: The runs.
        folder: Of all of them; on a cluster its machines must share it.
        workers: Runs at a time on this machine; they share the cores evenly, or have the threads that
            `OMP_NUM_THREADS` names.
        cluster: Address or scheduler file of a running dask cluster in place of this machine; its workers say how many
            threads a run has.

    Raises:
        RuntimeError: Naming every run that failed and its log; the others are finished first.
    """
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    waiting = {run.place(folder).name: run for run in runs if run.summary(folder) is None}
    # runs that each took all cores would wait for one another
    threads = int(os.environ.get("OMP_NUM_THREADS", max((os.cpu_count() or 1) // max(workers, 1), 1)))
    environment = import_path() | ({} if cluster else dict.fromkeys(THREADS, str(threads)))
    commands = [logged(run, folder, environment) for run in waiting.values()]
    failed = []
    with tqdm(total=len(runs), initial=len(runs) - len(waiting), unit="run", desc="runs") as bar:
        for command, outcome in outcomes(commands, workers, cluster) if commands else ():
            run = waiting[Path(command.log).stem]
            if reason := why_failed(run, folder, outcome, cluster):
                failed.append(f"{Path(command.log).stem}: see {command.log}{reason}")
            bar.set_postfix_str(run.row)
            bar.update()
    if failed:
        raise RuntimeError("\n".join([f"{len(failed)} of {len(runs)} runs failed:", *failed]))


def why_failed(run: SweepRun, folder: Path, outcome: int | Failure, cluster: str | None) -> str:
    """Returns why a run failed, in brackets or as the code that it ended with; empty where it is finished.

    Args:
        run: The run.
        folder: Of all runs.
        outcome: Exit code of its command, or what became of the worker.
        cluster: Where it ran; what other machines write may be seen here later.
    """
    if isinstance(outcome, Failure):
        return f" ({outcome.reason})"
    if outcome == 0 and cluster is not None:
        try:
            wait_until_seen(run.place(folder) / SUMMARY, lambda: run.summary(folder) is not None)
        except OSError as error:
            return f" ({error})"
    return "" if outcome == 0 and run.summary(folder) is not None else f" (exit code {outcome})"


def outcomes(commands: Sequence[LoggedCommand], workers: int, cluster: str | None) -> Any:
    """Yields every command with its exit code as it ends; where this is interrupted, all that run are ended first."""
    with worker_pool(workers, cluster=cluster) as pool:
        try:
            # closed at once, not when the generator is collected: what still runs is cancelled before it is waited for
            with closing(pool.map_unordered(run_logged, commands)) as ended:  # type: ignore[type-var]  # a generator
                yield from ended
        except BaseException:
            # the workers end their commands; they are killed when the pool is left
            wait_for_logs(command.log for command in commands)
            raise


def logged(run: SweepRun, folder: Path, environment: dict[str, str]) -> LoggedCommand:
    """Returns the command that finishes a run, with the log beside the run's folder."""
    words = (*run.command(folder), *QUIET)
    return LoggedCommand(words, f"{run.place(folder)}.log", os.getcwd(), environment)


def import_path() -> dict[str, str]:
    """Returns the variable by which a run can import what this process can."""
    return {"PYTHONPATH": os.pathsep.join(folder or os.getcwd() for folder in sys.path)}
