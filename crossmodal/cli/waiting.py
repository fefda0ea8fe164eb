"""How threads of OpenMP wait for each other, chosen before torch is loaded, which reads it once."""

import os
import time
from pathlib import Path

SET = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user says it."""
LOOKS, APART = 4, 0.01
"""Looks at what runs on the machine, and seconds between them."""


def choose_waiting() -> None:
    """Lets threads that wait sleep where another process is at work, and spin for a moment where none is.

    Threads that spin for one whose core is taken make a training step many times as long; threads that sleep on a quiet
    machine take long to wake: `python -m benchmarks.busy`. The numbers that are computed are the same.
    """
    if not any(name in os.environ for name in SET):
        os.environ.update({"OMP_WAIT_POLICY": "PASSIVE"} if others_at_work() else {"GOMP_SPINCOUNT": "2000"})


def others_at_work(file: Path = Path("/proc/loadavg")) -> bool:
    """Returns whether another process runs at every look; without Linux's file nobody knows, and none is taken to.

    Args:
        file: Its fourth word says how many threads can run, this one among them.
    """
    for _ in range(LOOKS):
        try:
            running = int(file.read_text().split()[3].partition("/")[0])
        except (OSError, ValueError, IndexError):
            return False
        if running < 2:
            return False
        time.sleep(APART)
    return True
