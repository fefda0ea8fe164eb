"""Many items by many worker processes, here or on other machines: one small interface over dask.distributed."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, TypeVar

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
UNGUARDED = (
    "a worker process imports the script that starts it, so what starts workers must stand below "
    '`if __name__ == "__main__":` in it.'
)
QUIET_WORKERS: Mapping[str, Any] = {
    # dask sets MALLOC_TRIM_THRESHOLD_ in its workers, with which glibc maps and unmaps every tensor
    "distributed.nanny.pre-spawn-environ": {},
    # it samples stacks a hundred times a second and looks at its own loop fifty times, which items pay for
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}
"""What dask is told about the processes that it starts here."""
DIED = "the worker process that ran it died (a crash in a native library, or no memory left)"


class Failure(NamedTuple):
    """Stands for the result of an item that failed alone, with the reason in words."""

    reason: str


class Pool(Protocol):
    """Runs a function on many items."""

    def map_unordered(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failure]]:
        """Yields every item once with its result, as results come.

        A worker that dies fails its item alone: the item comes with a `Failure`, and the worker is started anew.

        Args:
            function: What to run on each item; it must be picklable. What it raises is raised here and ends the rest.
            items: The items.
        """


@contextmanager
def worker_pool(workers: int, *, cluster: str | None = None, threads: int = 1) -> Iterator[Pool]:
    """Yields a pool of worker processes; leaving the block, however, ends those that it started.

    Ctrl-C and SIGTERM raise `KeyboardInterrupt` in the block. Workers that were started here also end when this process
    is killed.

    Args:
        workers: Processes to start on this machine; 0 runs everything in this process. Ignored if `cluster` is given.
        cluster: Address of a running dask scheduler, such as `tcp://host:8786`, or path of its scheduler file, as
            `dask scheduler --scheduler-file` and dask-jobqueue write it. Its workers must be able to import what the
            function needs, and see the same files. `None` starts processes on this machine.
        threads: Threads that numerical libraries may use in a worker that is started here.

    Raises:
        FileNotFoundError: If there is no such scheduler file.
        OSError: If the scheduler does not answer.
        RuntimeError: If this is the script of a worker process, which lacks `if __name__ == "__main__":`.
    """
    if cluster is not None or workers:
        from .dask_workers import Workers, connected, reconnected

    with terminated_as_interrupted():
        if cluster is not None:
            pool = Workers(connected(cluster), reconnect=partial(reconnected, cluster))
            try:
                yield pool
            finally:
                pool.client.close()  # which may be another one by then
        elif workers == 0:
            yield ThisProcess()
        else:
            with _local_cluster(workers, threads) as client:
                yield Workers(client)


class ThisProcess:
    """Pool without worker processes: runs one item after the other, in order."""

    def map_unordered(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Failure]]:
        """Yields every item with its result."""
        yield from ((item, function(item)) for item in items)


@contextmanager
def _local_cluster(workers: int, threads: int) -> Iterator["Client"]:
    """Yields a client of new processes on this machine."""
    import dask
    from distributed import Client, LocalCluster

    from .dask_workers import quiet

    quiet()
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(UNGUARDED)
    try:
        with deaf_to_ctrl_c(), dask.config.set(QUIET_WORKERS):
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                # pages for a browser are served in any case: keep them on this machine, at free ports
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                memory_limit=0,  # none: dask would end workers that it thinks too large
                env=dict.fromkeys(THREADS, str(threads)),  # set before a worker imports torch; numpy has one thread
                silence_logs=logging.CRITICAL,
                scheduler_kwargs={"allowed_failures": 0, "dashboard": False},
            )
    except RuntimeError as error:
        raise RuntimeError(f"the worker processes did not start ({error}): {UNGUARDED}") from error
    try:
        with Client(cluster, set_as_default=False) as client:
            yield client
    finally:
        _kill(cluster)
        cluster.close()


def _kill(cluster: Any) -> None:
    """Ends the workers in the middle of an item if need be; closing waits for items, and then gives up on workers."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def cancelled() -> bool:
    """Returns whether the item that this worker runs is no longer wanted; a worker cannot be interrupted in a function.

    In a pool of this process, and outside of any, it is `False`.
    """
    from distributed import get_worker

    try:
        worker = get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
    except (ValueError, AttributeError, KeyError):
        return False
    return task is None or task.state == "cancelled"


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Blocks SIGINT in the processes and threads that begin here; this process hears it afterwards, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # on starting, it would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Makes SIGTERM, by which a scheduler of jobs ends one, do what Ctrl-C does."""

    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt("terminated; the same command goes on")

    if threading.current_thread() is not threading.main_thread():  # Python handles signals in the main thread alone
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
