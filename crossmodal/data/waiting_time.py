"""Share of its time that a model waits for what it works on: whether reading or computing bounds a command."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class WaitingTime:
    """Measures the share of a stretch of time that was spent waiting for the next item.

    Attributes:
        waited: Seconds waited so far.
        worked: Seconds of work on items so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        """Starts with nothing measured.

        Args:
            clock: Returns seconds.
        """
        self.clock, self.waited, self.worked = clock, 0.0, 0.0
        self.since = clock()

    @property
    def share(self) -> float:
        """Waiting, over waiting and work; 0 before anything is measured."""
        return self.waited / (self.waited + self.worked) if self.waited else 0.0

    def wait(self) -> None:
        """Begins to wait: the time since the last item came was work."""
        now = self.clock()
        self.worked += now - self.since
        self.since = now

    def work(self) -> None:
        """Begins to work: the time since `wait` was waiting."""
        now = self.clock()
        self.waited += now - self.since
        self.since = now

    def pause(self) -> None:
        """Counts nothing of the time since the last change, such as a validation within a training."""
        self.since = self.clock()

    def line(self, what: str) -> str:
        """Returns the line that a command prints at its end; `what` is waited for."""
        return f"waiting            {100 * self.share:.0f} % of the time, for {what}"

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yields items; what passes between two of them is work, and what an item takes to come is waiting."""
        source = iter(items)
        self.pause()
        while True:
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                self.work()
            yield item
            self.wait()
