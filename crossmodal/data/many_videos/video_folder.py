"""Folders of video files: their listing, work on many of them, and the list of what could not be read."""

import argparse
import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from crossmodal.data.same_text import is_utf8, printable
from crossmodal.data.table_cell import safe_cell
from crossmodal.io import write_whole
from crossmodal.worker_pool import DIED, Failure, Item, Result, worker_pool

TEXTS = frozenset({".txt", ".csv", ".tsv", ".json", ".md", ".h5", ".srt", ".vtt"})
"""Suffixes of files that lie beside videos and are none."""

SOME_FAILED = 3
"""Exit code of a command that did its work, but not for all files."""


def video_files(folder: Path) -> tuple[list[Path], list[str]]:
    """Lists the videos of a folder, by name, and the names of what else it holds; hidden files are neither.

    Every file is taken for a video that has no suffix of `TEXTS`: one that is none fails later, by its name.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no video, or two of one stem: the stem is the video id.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: give one that holds video files.")
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    videos = [entry for entry in entries if entry.is_file() and entry.suffix.lower() not in TEXTS]
    if not videos:
        raise ValueError(f"{folder}/ holds no video file ({len(entries)} other entries): give a folder of videos.")
    by_stem: dict[str, list[str]] = {}
    for video in videos:
        by_stem.setdefault(video.stem, []).append(video.name)
    if twice := [" and ".join(names) for names in by_stem.values() if len(names) > 1]:
        raise ValueError(
            f"{folder}/ holds {'; '.join(twice)}: a video's id is its name without suffix, so rename one of each."
        )
    return videos, [entry.name for entry in entries if entry not in videos]


def check_utf8_name(name: str) -> None:
    """Checks that the name of a file can be written into a table.

    Raises:
        ValueError: If it is no UTF-8.
    """
    if not is_utf8(name):
        raise ValueError(f"the name {printable(name)!r} is not UTF-8, and no table can hold it: rename the file.")


def failure(error: Exception) -> Failure:
    """Returns what a file did to its reader, in words; errors without words of ours bring their names."""
    worded = isinstance(error, OSError | ValueError)
    return Failure(str(error) if worded else f"{type(error).__name__}: {error}")


def progress(
    label: str,
    work: Callable[[Item], Result | Failure],
    items: Sequence[Item],
    *,
    total: int,
    workers: int,
    cluster: str | None = None,
) -> Iterator[tuple[Item, Result | Failure]]:
    """Works on many video files under a progress bar that counts the failures.

    Args:
        label: Text in front of the bar.
        work: What to do with each file; it must be picklable. What it raises ends the rest.
        items: The files.
        total: Length of the bar; the files that `items` lack count as done.
        workers: Worker processes on this machine; 0 works in this process.
        cluster: Dask scheduler to use instead, as in `worker_pool`.

    Yields:
        Every file with its result, or with a `Failure`, as they come.

    Raises:
        KeyboardInterrupt: If interrupted, saying how far it came.
    """
    from tqdm import tqdm

    failed = 0
    with tqdm(total=total, initial=total - len(items), desc=label, unit="clip") as bar:
        try:
            # where nothing is left to do, no process is started and no cluster asked
            with worker_pool(min(workers, len(items)), cluster=cluster if items else None) as pool:
                for item, outcome in pool.map_unordered(work, items):
                    if isinstance(outcome, Failure):
                        outcome = Failure(f"{DIED}: convert the file.") if outcome.reason == DIED else outcome
                        failed += 1
                        bar.set_postfix_str(f"{failed} failed")
                    yield item, outcome
                    bar.update()
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"interrupted at {bar.n} of {total}; the same command goes on.") from stop


def write_failed(file: Path, reasons: Mapping[str, str]) -> None:
    """Writes the list of what failed and why, `file,reason`, by name; where nothing did, removes an old list.

    Args:
        file: The CSV.
        reasons: Name of a file → why it failed.
    """
    if not reasons:
        file.unlink(missing_ok=True)
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    rows = sorted(reasons.items())
    writer.writerows([("file", "reason"), *(map(safe_cell, map(printable, row)) for row in rows)])
    write_whole(file, table.getvalue())


def int_at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """Returns an argparse type for whole numbers from `least` to `most`."""

    def number(text: str) -> int:
        value = int(text)
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{value} must be at least {least}" + f", at most {most}" * bool(most))
        return value

    return number


def cores() -> int:
    """Returns the number of cores that this process may use."""
    # what a scheduler of jobs or a container has given us, which may be less than the machine
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
