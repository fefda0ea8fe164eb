"""Chooses the clock of short timings: that of this process alone, where it is fine enough."""

import time
from collections.abc import Callable

FINE = 1e-4
"""Seconds of a clock's step above which products of milliseconds cannot be told apart by it."""

Clock = Callable[[], float]


def fine_clock(own: Clock = time.process_time, wall: Clock = time.perf_counter) -> Clock:
    """Returns the clock of this process's time, by which a busy machine measures the same, or the wall's.

    The wall's where the other is coarse: on Windows it moves in steps of 16 ms, and a product takes none, or one.

    Args:
        own: Returns seconds of this process.
        wall: Returns seconds of everything.
    """
    # watched, for `time.get_clock_info` names the unit that is counted in, not the step
    return own if min(_step(own) for _ in range(3)) < FINE else wall


def _step(clock: Clock) -> float:
    """Returns by how much a clock moves when it moves."""
    begun = now = clock()
    while now == begun:
        now = clock()
    return now - begun
