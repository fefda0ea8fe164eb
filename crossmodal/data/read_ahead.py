"""Several films decoded at a time, each in a thread of its own, in front of one model; memory stays bounded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Full, Queue, SimpleQueue
from threading import Event, Thread
from typing import NamedTuple

from .clip import Clip, FilmedClip

ReadFilm = Callable[[Path], Iterable[Clip | FilmedClip]]
"""Yields the windows of a film."""
TICK = 0.1
"""Seconds between looks whether the pieces are still wanted."""


class FilmPiece(NamedTuple):
    """What comes next from one of several films.

    Attributes:
        film: The video file.
        content: Its next window; `None` where it has ended, or the error that ended it.
    """

    film: Path
    content: Clip | FilmedClip | Exception | None


def read_ahead(films: Sequence[Path], read: ReadFilm, *, threads: int, ahead: int) -> Iterator[FilmPiece]:
    """Yields the windows of films as they are read, several films at a time; those of one film are in order.

    Decoders and resamplers let go of Python's lock, so that threads suffice, and nothing is copied to another process.

    Args:
        films: Video files.
        read: Yields the windows of one. What it raises ends that film alone.
        threads: Films that are read at a time; 0 reads one after the other in this thread, when they are asked for.
        ahead: Windows that wait for the model at most, of all films together.

    Yields:
        Every window, and one piece at the end of every film.
    """
    if threads == 0:
        for film in films:
            yield from _pieces(film, read)
        return
    waiting: SimpleQueue[Path] = SimpleQueue()
    for film in films:
        waiting.put(film)
    ready: Queue[FilmPiece] = Queue(maxsize=max(ahead, 1))
    unwanted = Event()
    readers = [
        Thread(target=_read_all, args=(waiting, read, ready, unwanted), daemon=True)
        for _ in range(min(threads, len(films)))
    ]
    for reader in readers:
        reader.start()
    open_films = len(films)
    try:
        while open_films:
            piece = ready.get()
            open_films -= piece.content is None or isinstance(piece.content, Exception)
            yield piece
    finally:
        unwanted.set()
        for reader in readers:
            reader.join()


def _pieces(film: Path, read: ReadFilm) -> Iterator[FilmPiece]:
    """Yields the windows of one film and its end."""
    try:
        for clip in read(film):
            yield FilmPiece(film, clip)
    except Exception as error:  # whatever a damaged file does to a decoder is that film's failure
        yield FilmPiece(film, error)
    else:
        yield FilmPiece(film, None)


def _read_all(waiting: "SimpleQueue[Path]", read: ReadFilm, ready: "Queue[FilmPiece]", unwanted: Event) -> None:
    """Reads films until there is none, or nobody wants them."""
    while not unwanted.is_set():
        try:
            film = waiting.get_nowait()
        except Empty:
            return
        for piece in _pieces(film, read):
            if not _put(ready, piece, unwanted):
                return


def _put(ready: "Queue[FilmPiece]", piece: FilmPiece, unwanted: Event) -> bool:
    """Waits for a place in the queue; returns whether there was one before nobody wanted it."""
    while not unwanted.is_set():
        try:
            ready.put(piece, timeout=TICK)
        except Full:
            continue
        return True
    return False
