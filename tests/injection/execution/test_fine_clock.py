"""The clock of short timings: the process's own, unless it stands still while a product is computed."""

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st

from crossmodal.injection.execution.fine_clock import FINE, fine_clock


class Steps:
    """A clock that stands still for some calls, then moves."""

    def __init__(self, steps, stands=0):
        self.moves = itertools.accumulate(size for step in steps for size in [step, *[0.0] * stands])

    def __call__(self):
        return next(self.moves)


@given(step=st.floats(1e-7, 0.1), stands=st.integers(0, 50))
def test_a_clock_whose_steps_are_long_is_not_used(step, stands):
    own = Steps(itertools.repeat(step), stands)
    assert fine_clock(own, time.perf_counter) is (own if step < FINE else time.perf_counter)


def test_one_long_step_is_a_pause_of_the_machine():
    own = Steps(itertools.chain([0.0, 0.5], itertools.repeat(1e-6)))
    assert fine_clock(own) is own
