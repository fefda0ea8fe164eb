"""One piece of work for many files, in several processes: the death of one is the failure of its file alone."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Failure(NamedTuple):
    """What work returns for a file that cannot be read, in words; the work on the others goes on."""

    reason: str


def failure(error: Exception) -> Failure:
    """What a file did to its reader, in words; errors of kinds that readers do not word bring their names."""
    worded = isinstance(error, OSError | ValueError)
    return Failure(str(error) if worded else f"{type(error).__name__}: {error}")


def each(
    work: Callable[[Item], Result | Failure], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Result | Failure]]:
    """Yields every item once with what `work(item)` returns, as it comes.

    - `work`: a function that can be pickled. What it raises is raised here and ends the others.
    - `workers`: processes; 0 does the work in this one. Each has one item at a time, and holds its result until it is
      taken: no more than `workers` results wait. They end with this process, however it ends.

    A decoder that crashes takes its process along: that item is a `Failure`, and another process takes over.
    """
    if workers == 0:
        yield from ((item, work(item)) for item in items)
        return
    waiting: deque[Item] = deque(items)
    busy: dict[Connection, Worker] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                worker = Worker(work, waiting.popleft())
                busy[worker.pipe] = worker
            ready = wait(list(busy))
            for worker in [worker for pipe, worker in busy.items() if pipe in ready]:
                item, outcome = worker.item, worker.outcome()
                if not waiting or not worker.process.is_alive():
                    busy.pop(worker.pipe).end()
                else:
                    worker.give(waiting.popleft())
                if isinstance(outcome, Exception):
                    raise outcome
                yield item, outcome
    finally:
        for worker in busy.values():
            worker.end()


class Worker:
    """A process of its own that works on one item at a time."""

    def __init__(self, work: Callable[[Any], Any], item: Any):
        context = get_context("spawn")  # a fork would copy locks that threads of torch hold
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(work, theirs), daemon=True)
        with _deaf_to_ctrl_c():
            self.process.start()
        theirs.close()
        self.give(item)

    def give(self, item: Any) -> None:
        """The next item."""
        self.item = item
        self.pipe.send(item)

    def outcome(self) -> Any:
        """What came of the item: a result, a `Failure`, or the exception that ended the work."""
        try:
            return self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            return Failure(f"the process that read it died ({_cause(self.process.exitcode)}): convert the file.")

    def end(self) -> None:
        """Ends the process, in the middle of an item if need be."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that begin here never hear Ctrl-C, which reaches all; their parent does, afterwards, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # on starting, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(work: Callable[[Any], Any], pipe: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        item = pipe.recv()
        try:
            outcome = work(item)
        except Exception as error:
            outcome = error
        pipe.send(outcome)


def _end_with_parent() -> None:
    """A parent that is killed cannot end its workers: they would write into a folder that a new run owns."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _cause(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
