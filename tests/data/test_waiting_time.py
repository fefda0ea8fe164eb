"""Waiting, told from work by a clock of the test's own."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.waiting_time import WaitingTime

SECONDS = st.integers(0, 9)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=6), SECONDS, SECONDS)
def test_what_items_take_to_come_is_waiting_and_what_passes_between_them_is_work(times, before, at_the_end):
    clock = Clock()
    waiting = WaitingTime(clock)

    def items():
        for waited, worked in times:
            clock.now += waited
            yield worked
        clock.now += at_the_end

    clock.now += before
    for worked in waiting.over(items()):
        clock.now += worked
    waited, worked = sum(w for w, _ in times) + at_the_end, sum(w for _, w in times)
    assert (waiting.waited, waiting.worked) == (waited, worked)
    assert waiting.share == (waited / (waited + worked) if waited else 0)


def test_items_are_read_one_at_a_time_and_an_error_comes_through():
    def items():
        yield from "ab"
        raise OSError("the disk is gone")

    read = WaitingTime().over(items())
    assert list(islice(read, 2)) == ["a", "b"]
    with pytest.raises(OSError, match="the disk is gone"):
        next(read)
