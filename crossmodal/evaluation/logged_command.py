"""One command of `crossmodal` as a process of its own, with a log file; light to import, for workers run it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import IO, Any, NamedTuple

from crossmodal.worker_pool import Failure, cancelled

POLL = 0.2
"""Seconds between looks whether the command is still wanted."""
PATIENCE = 10.0
"""Seconds that a command has to end itself."""
INTERRUPTED = 130

TRIM, DASK_TRIM = "MALLOC_TRIM_THRESHOLD_", "65536"
"""What dask sets in its workers; with it glibc gives the pages of every large tensor back, and takes them again."""


class LoggedCommand(NamedTuple):
    """A command line and where it runs.

    Attributes:
        words: Behind `crossmodal`.
        log: File that gets everything that the command prints; locked while the command runs.
        folder: Working folder.
        environment: Variables beside those of the worker.
    """

    words: tuple[str, ...]
    log: str
    folder: str
    environment: Mapping[str, str]


def run_logged(command: LoggedCommand) -> int | Failure:
    """Runs a command and waits for it; ends it where it is no longer wanted, or this process ends.

    Returns:
        The exit code, or a `Failure` if another process is running the same command.
    """
    # not "w", which would empty a log that another process is writing
    with open(command.log, "a", encoding="utf-8") as log:
        if not _lock(log):
            return Failure("another process is running it")
        log.truncate(0)
        words = [sys.executable, "-m", "crossmodal.evaluation.attended", *command.words]
        environment = {**os.environ, **command.environment}
        if environment.get(TRIM) == DASK_TRIM:  # a worker of a running cluster: see `worker_pool`
            del environment[TRIM]
        process = subprocess.Popen(
            # however this process ends, its end of the pipe closes, which ends the command
            words,
            cwd=command.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            return _wait(process, cancelled)
        finally:
            _end(process)


def wait_for_logs(logs: Iterable[str], patience: float = 2 * PATIENCE) -> None:
    """Waits until no command holds any of the logs, or patience is at its end."""
    until = time.monotonic() + patience
    for name in logs:
        with suppress(FileNotFoundError), open(name, "r+", encoding="utf-8") as log:
            while not _lock(log) and time.monotonic() < until:
                time.sleep(POLL)


def _wait(process: "subprocess.Popen[bytes]", unwanted: Callable[[], bool]) -> int:
    """Returns the exit code of a process, or that of an interrupted one as soon as nobody wants it."""
    while not unwanted():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(POLL)
    return INTERRUPTED


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process that may still run: asks it to, and kills it where it does not."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _lock(file: IO[Any]) -> bool:
    """Locks an open file for as long as this process or one that inherits the file holds it open."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
