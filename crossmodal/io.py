"""Writing files whole or not at all, and holding a folder against other processes.

A draft is written beside its target, flushed to the disk and renamed over it, so that a kill or a full disk leaves what
was there before.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

DRAFT = ".part-"
SECONDS_TO_APPEAR = 60.0
"""How long a file is waited for that another machine has written into a shared folder."""
TICK = 0.1
"""Seconds between looks."""
FIX = "make room there, or choose another folder"

_FLOCK = find_spec("fcntl") is not None
_NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of a file system that cannot lock: NFS, say, locks no folder."""


def write_whole(path: str | Path, content: bytes | memoryview | str, *, before: str = "", fix: str = FIX) -> None:
    """Writes a file whole or not at all.

    Args:
        path: The file; its folder must exist.
        content: What to write; text is encoded as UTF-8.
        before: Text in front of the path in an error, such as `"Folder: "`.
        fix: How an error tells the user to go on.

    Raises:
        OSError: If the file cannot be written; what was there before is kept.
    """
    with whole_file(path, before=before, fix=fix) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(
    path: str | Path, *, before: str = "", fix: str = FIX, errors: tuple[type[Exception], ...] = ()
) -> Iterator[Path]:
    """Yields the path of a draft that replaces `path` when the block ends without an error.

    For writers that take a path, such as `figure.savefig` and `h5py.File`. The draft keeps the suffix of `path`.

    Args:
        path: The file; its folder must exist.
        before: Text in front of the path in an error, such as `"Folder: "`.
        fix: How an error tells the user to go on.
        errors: Other exceptions than `OSError` with which the writer reports that it cannot write.

    Yields:
        The draft, which does not exist yet.

    Raises:
        OSError: If the file cannot be written; what was there before is kept.
    """
    path = Path(path)
    draft = draft_of(path)
    refusals: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield draft
        with draft.open("rb+") as written:
            os.fsync(written.fileno())  # renaming a file that is not on the disk yet may leave an empty one
        os.replace(draft, path)
    except refusals as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OSError(f"{before}{path} cannot be written: {reason}; {fix}.") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder that replaces `path` when the block ends without an error.

    A folder cannot be replaced in one step: a kill between removing the old one and renaming the draft leaves none.

    Args:
        path: The folder; its parent must exist.

    Yields:
        The draft.
    """
    path = Path(path)
    draft = draft_of(path)
    draft.mkdir()
    try:
        yield draft
        shutil.rmtree(path, ignore_errors=True)
        os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def draft_of(path: Path) -> Path:
    """Returns a hidden name beside `path` that no other process uses, on this machine or another."""
    return path.with_name(f"{DRAFT}{secrets.token_hex(4)}.{path.name}")


def is_draft(path: Path) -> bool:
    """Returns whether a file or folder is a draft that a killed process may have left."""
    return path.name.startswith(DRAFT)


def wait_until_seen(path: str | Path, seen: Callable[[], bool]) -> None:
    """Waits for what another machine has written: a shared folder may show it seconds later on this one.

    Args:
        path: What was written, named in the error.
        seen: Whether it is here, and whole.

    Raises:
        OSError: If it is not within `SECONDS_TO_APPEAR`.
    """
    until = time.monotonic() + SECONDS_TO_APPEAR
    while not seen():
        if time.monotonic() > until:
            raise OSError(
                f"{path}, which a worker has written, is not seen here after {SECONDS_TO_APPEAR:g} s: the workers of a "
                "cluster must see the same folders as this machine."
            )
        time.sleep(TICK)


def remove_drafts(*folders: Path) -> None:
    """Removes the drafts that killed processes left; call it where no other process writes.

    Args:
        *folders: Where to look, not looking into folders in them; one that does not exist holds none.

    Raises:
        OSError: If one cannot be removed.
    """
    for folder in folders:
        for draft in [*folder.glob(f"{DRAFT}*")]:
            if draft.is_dir():
                shutil.rmtree(draft)
            else:
                draft.unlink(missing_ok=True)


_HELD: set[int] = set()
"""Descriptors of locked folders."""


def _let_go() -> None:
    """Closes in a forked child what its parent holds: a reader of data that outlives its parent must hold no folder."""
    while _HELD:
        os.close(_HELD.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextmanager
def folder_lock(
    folder: Path, *, on_wait: Callable[[], None] | None = None, doing: str = "is being written"
) -> Iterator[None]:
    """Holds a folder against other processes that lock it; a process that dies lets go.

    Where the file system knows no locks (some shared ones), two processes at once are the user's to avoid.

    Args:
        folder: An existing folder.
        on_wait: Called once before waiting for a process that holds the folder; `None` refuses instead of waiting.
        doing: What the other process does with it, for the error.

    Raises:
        BlockingIOError: If another process holds the folder and `on_wait` is `None`, or has removed it meanwhile.
    """
    # the folder itself is locked: no lock file stays behind
    handle = os.open(folder, os.O_RDONLY) if _FLOCK else None
    if handle is None:  # Windows
        yield
        return
    _HELD.add(handle)
    try:
        if not _flock(handle, wait=False):
            if on_wait is None:
                raise BlockingIOError(f"{folder}/ {doing} by another process: wait for it, or end it.")
            on_wait()
            _flock(handle, wait=True)
        if not (folder.is_dir() and os.path.samestat(os.fstat(handle), folder.stat())):
            raise BlockingIOError(f"{folder}/ was removed by another process: try again.")
        yield
    finally:
        if handle in _HELD:
            _HELD.remove(handle)
            os.close(handle)  # lets go of the lock


def _flock(handle: int, *, wait: bool) -> bool:
    """Locks a descriptor; returns whether no other process holds it, as far as the file system can tell."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def missing_folders(folder: Path) -> list[Path]:
    """Returns which of a folder and those above it do not exist, inner ones first: what `make_folder` would make."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def remove_empty(folders: Iterable[Path]) -> None:
    """Removes folders in which nothing is.

    Args:
        folders: Those that this process made, inner ones first. An empty folder that was there before is the user's.
    """
    for each in folders:
        with suppress(OSError):  # it holds something, or was never made
            each.rmdir()


def make_folder(folder: Path, *, before: str = "", fix: str = "choose another place") -> None:
    """Makes a folder, and those above it, if there is none.

    Args:
        folder: The folder.
        before: Text in front of the path in an error, such as `"Folder: "`.
        fix: How an error tells the user to go on.

    Raises:
        OSError: If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{before}{folder}/ cannot be made: {error.strerror}; {fix}.") from error
