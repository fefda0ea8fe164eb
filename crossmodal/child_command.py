"""Commands of this package that run as child processes and never outlive what started them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

INTERRUPTED = 130
LOOK, PATIENCE = 0.5, 10.0
"""Seconds between two looks at the parent or the child, and those that a child has to end after SIGTERM."""

MAIN = "import runpy; runpy.run_module('crossmodal', run_name='__main__', alter_sys=True)"


def run_command(
    words: Sequence[str], log: Path, *, threads: int = 1, unwanted: Callable[[], bool] = lambda: False
) -> int:
    """Runs `crossmodal WORDS` in a process of this Python, which imports what this one can.

    Where this process dies, is interrupted or finds the command unwanted, the child is told by SIGTERM, and killed if
    it does not end.

    Args:
        words: The words behind `crossmodal`.
        log: File that takes what the command prints.
        threads: Threads that numerical libraries may use in the child.
        unwanted: Asked every half a second while the child runs, such as `worker_pool.cancelled`.

    Returns:
        The exit code; 130 if the command was unwanted.
    """
    code = f"from crossmodal.child_command import end_with; end_with({os.getpid()}); {MAIN}"
    with log.open("w", encoding="utf-8") as said:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words], env=child_environment(threads), stdout=said, stderr=subprocess.STDOUT
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return child.wait(LOOK)
                if unwanted():
                    return INTERRUPTED
        finally:
            _end(child)


def child_environment(threads: int) -> Mapping[str, str]:
    """Returns the environment of a child: its number of threads, and the import path of this process."""
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONPATH": path}


def end_with(parent: int) -> None:
    """Makes this process end once its parent does: by SIGTERM, and killed if that does not end it.

    Args:
        parent: Process id of the parent, which may have ended already.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ends a child that still runs."""
    for tell in child.terminate, child.kill:
        if child.poll() is not None:
            return
        tell()
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
