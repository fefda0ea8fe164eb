"""Runs `crossmodal` until it is done, or until the process that started it is gone: `python -m … attended ave fit …`.

The starter keeps the write end of this process's standard input. However the starter ends, the input ends with it, and
the command is told by SIGTERM: no training outlives its sweep.
"""

import os
import runpy
import signal
import threading


def end_with_starter() -> None:
    """Waits for the end of the standard input, and ends this process."""
    while os.read(0, 1024):  # not through sys.stdin, whose lock would be held when the interpreter shuts down
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with_starter, daemon=True).start()
    runpy.run_module("crossmodal", run_name="__main__", alter_sys=True)  # what restarts itself restarts `crossmodal`
