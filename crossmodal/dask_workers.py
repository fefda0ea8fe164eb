"""Workers of a dask scheduler, one item at a time each, in this machine's processes or on a cluster of machines."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from .worker_pool import DIED, Failure, Item, Result

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger("crossmodal")

LOST = (OSError, CancelledError)
"""Errors by which dask says that the scheduler is gone; what a function raises is none of them."""
SECONDS_TO_CONNECT = 30
SECONDS_TO_RETURN = 120
"""How long a scheduler that is lost is waited for."""


class Workers:
    """Pool of the workers that a dask scheduler has at the moment; ones that join later get items, too.

    Every worker has one item at a time, and items are pinned to workers: the scheduler would queue items behind others,
    and the death of a worker would fail all of them. Every worker holds its result until it is taken.
    """

    def __init__(self, client: "Client", *, poll: float = 1.0, reconnect: Callable[[], "Client | None"] = lambda: None):
        """Builds the pool.

        Args:
            client: Connected to the scheduler.
            poll: Seconds between looks for workers that joined or left.
            reconnect: Called when the scheduler is lost: a client of it once it is back, or `None` where it is not.
        """
        self.client, self.poll, self.reconnect = client, poll, reconnect

    def map_unordered(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failure]]:
        """Yields every item once with its result, as results come.

        Where the scheduler is lost and comes back, items that were running are given out again.
        """
        waiting, running = deque(items), dict[Any, _Running[Item]]()
        try:
            while waiting or running:
                try:
                    self._submit(function, waiting, running)
                    keys = self._finished(running)
                except LOST as error:
                    waiting.extendleft(each.item for each in running.values())
                    running.clear()
                    self._connect_again(error)
                    continue
                for key in keys:
                    taken = running.pop(key)
                    try:
                        outcome = _outcome(taken.future)
                    except CancelledError:  # lost since
                        waiting.appendleft(taken.item)
                        continue
                    with suppress(*LOST):  # before the caller takes its time; the next turn sees what is lost
                        self._submit(function, waiting, running)
                    yield taken.item, outcome
        finally:
            if running:  # a client whose scheduler is lost has none, and is closed
                with suppress(*LOST):
                    self.client.cancel([each.future for each in running.values()], force=True)

    def _connect_again(self, error: BaseException) -> None:
        """Waits for a scheduler that is lost.

        Raises:
            ConnectionError: If it does not come back.
        """
        logger.warning("the scheduler of the cluster is lost: it is waited for, %d s at most.", SECONDS_TO_RETURN)
        self.client.close(timeout=1)
        client = self.reconnect()
        if client is None:
            raise ConnectionError(
                f"the scheduler of the cluster is lost, and did not come back within {SECONDS_TO_RETURN} s: start it "
                "and its workers, and run the same command again; what is finished is kept."
            ) from error
        self.client = client

    def _submit(
        self, function: Callable[[Item], Result], waiting: deque[Item], running: dict[Any, "_Running[Item]"]
    ) -> None:
        """Gives an item to every worker that has none."""
        busy = {each.worker for each in running.values()}
        # asked anew each time: an item for a worker that died just now would fail for nothing
        for worker in self.client.nthreads() if waiting else ():
            if waiting and worker not in busy:
                item = waiting.popleft()
                # not pure: dask would take two equal calls for one
                future = self.client.submit(function, item, workers=[worker], pure=False)
                running[future.key] = _Running(item, future, worker)

    def _finished(self, running: dict[Any, "_Running[Item]"]) -> list[Any]:
        """Waits for the first items that are done, or whose workers are gone, and returns their keys."""
        from distributed import TimeoutError, wait

        if not running:
            time.sleep(self.poll)  # until a worker joins
            return []
        with self.client.as_current(), suppress(TimeoutError):
            wait([each.future for each in running.values()], timeout=self.poll, return_when="FIRST_COMPLETED")
        workers = self.client.nthreads()
        # a scheduler that allows failures would wait for a worker of the same address for ever
        return [key for key, each in running.items() if each.future.done() or each.worker not in workers]


class _Running(NamedTuple, Generic[Item]):
    """An item on its way, and the address of its worker."""

    item: Item
    future: "Future[Any]"
    worker: str


def _outcome(future: "Future[Any]") -> Any:
    """Returns the result of a future, or a `Failure` if its worker died; raises what its function raised."""
    from distributed import KilledWorker

    if not future.done():
        return Failure(DIED)
    try:
        return future.result()
    except KilledWorker:
        return Failure(DIED)


def reconnected(cluster: str) -> "Client | None":
    """Returns a client of a scheduler once it is back; `None` where it does not come back in time."""
    until = time.monotonic() + SECONDS_TO_RETURN
    while time.monotonic() < until:
        try:
            return connected(cluster)
        except OSError:  # no scheduler yet, or no file of it
            time.sleep(1)
    return None


def connected(cluster: str) -> "Client":
    """Returns a client of a scheduler that runs already."""
    from distributed import Client

    quiet()
    if "://" not in cluster and not Path(cluster).is_file():
        raise FileNotFoundError(
            f"cluster={cluster!r} is no address such as tcp://host:8786, and there is no scheduler file of that name: "
            "start one by `dask scheduler --scheduler-file FILE`."
        )
    where = {"address": cluster} if "://" in cluster else {"scheduler_file": cluster}
    try:
        return Client(**where, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except OSError as error:
        raise OSError(f"cluster={cluster!r} does not answer ({error}): is its scheduler running?") from error


def quiet() -> None:
    """Silences dask, which logs workers that are ended on purpose; call it after importing dask, which sets levels."""
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
