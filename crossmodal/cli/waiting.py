"""How threads of OpenMP wait for each other: they spin while the processors are theirs, and sleep beside others."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SET = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user says it."""
EVERY, FIRST = 1.0, 0.2
"""Seconds from one look at the machine to the next, and to the first."""
CROWDED, ALONE = 0.3, 0.15
"""Processors that others must take from this process before its threads sleep, and below which they spin again.

On two days spinning beside one busy process took the time of 1.6 and 2.8 steps more, and sleeping alone that of 0.24
and 1.6 more: sleeping pays from 0.14 and 0.4 processors on."""
LARGE = 2**20
"""Elements over which torch computes with all its threads."""
PROCESSORS = Path("/proc/stat")
TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
"""Seconds of one count of that file."""


class Spent(NamedTuple):
    """Seconds that have passed, those of all processors at work, and those of this process."""

    passed: float
    machine: float
    own: float

    def others_since(self, before: "Spent") -> float:
        """Returns how many processors others have used on average since an earlier look."""
        machine, own = self.machine - before.machine, self.own - before.own
        return (machine - own) / max(self.passed - before.passed, TICK)


def spent(file: Path = PROCESSORS) -> Spent | None:
    """Looks at the processors that this process may use; `None` where the file is missing or says something else."""
    ours = os.sched_getaffinity(0)
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines() if line[3:4].isdigit()]
        # user, nice, system, then idle and waiting for disks, which are no work; interrupts and what a host takes are
        busy = sum(
            sum(map(int, (*counts[:3], *counts[5:8])))
            for name, *counts in lines
            if int(name.removeprefix("cpu")) in ours
        )
    except (OSError, ValueError):
        return None
    return Spent(time.monotonic(), busy * TICK, time.process_time())


def crowded(others: float, free: int, sleeping: bool) -> bool:
    """Returns whether threads are to sleep.

    Args:
        others: Processors that others use.
        free: Processors beyond the threads of this process.
        sleeping: Whether they sleep now: what they do is kept up to a clear difference.
    """
    return others - free > (ALONE if sleeping else CROWDED)


@contextmanager
def waiting_by_load() -> Iterator[None]:
    """Lets the threads of torch that wait for each other sleep while other processes are at work, and spin otherwise.

    Threads that spin for one whose processor is taken make a training step many times as long; threads that sleep on a
    quiet machine take long to wake: `python -m benchmarks.busy`. The numbers that are computed are the same. Another
    thread looks once a second, for as long as the block runs, on Linux, unless one of the variables `SET` is there.
    """
    if not sys.platform.startswith("linux") or any(name in os.environ for name in SET) or spent() is None:
        yield
        return
    end = threading.Event()
    watch = threading.Thread(target=_watch, args=(end,), name="crossmodal: load of the machine", daemon=True)
    watch.start()
    try:
        yield
    finally:
        end.set()
        watch.join()


def _watch(end: threading.Event) -> None:
    before, crowd = spent(), Crowd()
    try:
        while not end.wait(EVERY if "torch" in sys.modules else FIRST):
            now = spent()
            if now is None or before is None:
                return
            if "torch" in sys.modules:
                import torch  # waits for the import that another thread has begun

                threads, processors = torch.get_num_threads(), len(os.sched_getaffinity(0))
                if threads > 1 and crowded(now.others_since(before), processors - threads, bool(crowd)):
                    crowd.gather(threads, processors)
                else:
                    crowd.disperse()
            before = now
    finally:
        crowd.disperse()


class Crowd:
    """Idle threads by which, while they are there, OpenMP manages more threads than there are processors.

    GNU's library, which torch's wheels bring along, is told once, when it is loaded, how long to spin; but with more
    threads than processors it hardly spins at all. Another library goes on as it does.
    """

    def __init__(self) -> None:
        """Starts with none."""
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def __bool__(self) -> bool:
        """Returns whether they are there."""
        return bool(self._threads)

    def gather(self, threads: int, processors: int) -> None:
        """Begins them, unless they are there.

        Args:
            threads: Threads of torch, at least two.
            processors: That this process may use.
        """
        if self:
            return
        # teams of torch's size, as many as bring all threads above the number of processors
        for _ in range((processors - 1) // (threads - 1)):
            thread = threading.Thread(target=self._team, daemon=True)
            with suppress(RuntimeError):  # no more threads may be begun here: those that wait go on spinning
                thread.start()
                self._threads.append(thread)

    def disperse(self) -> None:
        """Ends them, if they are there."""
        self._end.set()
        for thread in self._threads:
            thread.join()  # its team of OpenMP ends with it
        self._end, self._threads = threading.Event(), []

    def _team(self) -> None:
        import torch

        end = self._end
        with suppress(RuntimeError):  # no memory for it
            torch.zeros(LARGE, dtype=torch.uint8, device="cpu").add_(1)
        end.wait()
