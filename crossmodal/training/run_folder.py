"""Run folders: `runs/<name>/` with the configuration, the metrics, the adapters and a summary."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

from crossmodal.checkpoints import read_header
from crossmodal.io import folder_lock, is_draft, missing_folders, remove_drafts, remove_empty, write_whole

ADAPTERS, CONFIG, SUMMARY = "adapters.safetensors", "config.yaml", "summary.json"
REMARKS = "remarks"
"""Of a summary: what the system says of itself beside its options, such as how its streams are pooled."""
TEST, CHANCE, MONITOR = "test", "chance", "monitor"
"""Of a summary: scores of the test split, those of a model that looks at nothing, and the score that counts."""


def find_place(runs: Path, name: str, *, resume: bool) -> Path:
    """Returns the folder of a run that is to begin, or to go on where `resume` says so.

    A folder that holds drafts alone is what a kill leaves before the first file of a run is written.

    Raises:
        FileNotFoundError: If there is nothing to resume.
        FileExistsError: If a run of that name exists.
    """
    run = runs / name
    if resume and not (run / CONFIG).is_file():
        raise FileNotFoundError(f"run {run} cannot be resumed: it has no {CONFIG}; start it without --resume.")
    if not resume and run.exists() and not (run.is_dir() and all(map(is_draft, run.iterdir()))):
        raise FileExistsError(f"run {run} exists: choose another --name, or go on with it by --resume true.")
    return run


@contextmanager
def claimed_run(runs: Path, name: str, *, resume: bool, numbered: bool = False) -> Iterator[Path]:
    """Yields the folder of a run that is to begin or to go on, held against other processes until the block ends.

    A process that dies lets go. Where nothing was written, no folder stays behind.

    Args:
        runs: Folder of runs.
        name: Of the run.
        resume: Whether the run is there already.
        numbered: Whether a name that is taken becomes `name-2`, `name-3` and so on.

    Raises:
        FileNotFoundError: If there is nothing to resume.
        OSError: If a run of that name exists, another process trains it, or its folder cannot be made.
        ValueError: If the name is none of a folder in `runs`.
    """
    check_run_name(name)
    with ExitStack() as held:
        for number in count(1):
            try:
                run = _claim(held, runs, name if number == 1 else f"{name}-{number}", resume=resume)
                break
            except (FileExistsError, BlockingIOError):
                if not numbered:
                    raise
        yield run


def _claim(held: ExitStack, runs: Path, name: str, *, resume: bool) -> Path:
    """Makes and locks the folder of a run until `held` is closed."""
    run = find_place(runs, name, resume=resume)
    missing = missing_folders(run)
    new_run(run)
    with ExitStack() as tried:
        tried.enter_context(folder_lock(run, doing="is being trained"))
        tried.callback(remove_empty, missing)  # before the lock is let go: nobody else can have begun in it
        find_place(runs, name, resume=resume)  # again: another process may have trained it before it was locked
        remove_drafts(run)
        held.push(tried.pop_all())
    return run


def check_run_name(name: str) -> None:
    """Refuses a name of a run that is none of a folder in the folder of runs.

    Raises:
        ValueError: If it is empty, leaves that folder, or holds a NUL.
    """
    parts = Path(name).parts
    if not name.strip() or not parts or Path(name).is_absolute() or ".." in parts or "\0" in name:
        raise ValueError(
            f"fit: --name {name!r} must name a folder inside that of --runs: not empty, no absolute path, no '..'."
        )


def new_run(run: Path) -> None:
    """Makes the folder of a run.

    Raises:
        OSError: If it cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"run {run} cannot be written: {error.strerror}; choose another folder with --runs.") from error


def add_run_options(parser: ArgumentParser) -> None:
    """Adds the options by which a verb is told the run that it is about; `find_run` takes them."""
    parser.add_argument("--run", type=Path, help="folder of the run (default: the newest in --runs)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")


def one_run(at: Path | None, run: Path | None, command: str) -> Path | None:
    """Returns the run that a command names by its place or by `--run`.

    Raises:
        ValueError: If it names two.
    """
    if at is not None and run is not None and at.resolve() != run.resolve():
        raise ValueError(f"{command}: {at} and --run {run} are two runs: name one.")
    return run if at is None else at


def find_run(runs: Path, run: Path | None, task: str) -> Path:
    """Returns the run asked for, or the newest finished one of a task in `runs`.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the run is one of another task.
    """
    if run is not None:
        if not (run / ADAPTERS).is_file():
            raise FileNotFoundError(f"run {run} has no {ADAPTERS}: it is no finished run of `crossmodal {task} fit`.")
        if (other := task_of(run)) != task:
            raise ValueError(f"run {run} is one of `crossmodal {other} fit`: use `crossmodal {other} …` for it.")
        return run
    newest = sorted(runs.glob(f"*/{ADAPTERS}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in newest:
        if task_of(file.parent) == task:
            return file.parent
    raise FileNotFoundError(f"no finished run in {runs}/: train one with `crossmodal {task} fit`, or name it by --run.")


def task_of(run: Path) -> str:
    """Returns the task of a finished run; one that cannot say is taken for `ave`, the first there was."""
    try:
        return str(read_header(run / ADAPTERS).get("task", "ave"))
    except ValueError:
        return "ave"  # a damaged file is refused when it is loaded


def write_summary(run: Path, **facts: Any) -> None:
    """Adds facts to the run's `summary.json`."""
    write_whole(run / SUMMARY, json.dumps({**read_summary(run), **facts}, indent=2) + "\n")


def read_summary(run: Path) -> dict[str, Any]:
    """Returns the run's `summary.json`, or an empty dictionary where there is none.

    Raises:
        ValueError: If it is damaged.
    """
    file = run / SUMMARY
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}): remove it, and test the run again.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is damaged (it holds no object): remove it, and test the run again.")
    return found


def versions() -> dict[str, str]:
    """Returns the versions of what a run depends on."""
    found = {}
    for package in ("crossmodal-blocks", "torch", "torchvision", "pytorch-lightning", "xformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
