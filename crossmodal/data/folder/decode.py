"""Decoding of all spans of a video file in one pass, into the cache."""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..clip import Preprocess
from ..orientation import upright
from ..same_text import NameFinder
from ..video import read_film
from .cache import ClipCache, Decoded
from .windowing import Span, is_far_behind


class Undecoded(NamedTuple):
    """File of a folder, and its spans that are not in the cache, by their keys."""

    file: str
    spans: dict[bytes, Span]


class DecodeResult(NamedTuple):
    """Result of decoding a file: key → reason of every span that cannot be had.

    Attributes:
        file: Path of the file.
        reasons: Key → reason.
        passing: Whether the failure may be the machine's: the same file may be decoded another time.
    """

    file: str
    reasons: dict[bytes, str]
    passing: bool = False


PASSING = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EAGAIN", "EBUSY", "EHOSTDOWN", "EHOSTUNREACH", "EINTR", "EIO", "EMFILE", "ENETDOWN", "ENFILE"),
        *("ENODEV", "ENOENT", "ENOMEM", "ENOSPC", "ENOTCONN", "ENXIO", "EPERM", "ESTALE", "ETIMEDOUT"),
    )
    if hasattr(errno, name)  # each system has its own
)
"""Numbers of errors that say nothing of what a file holds."""


def decode(work: Undecoded, *, videos: Path, cache: ClipCache) -> DecodeResult:
    """Decodes the spans of a file into the cache.

    Args:
        work: The file and its spans.
        videos: Folder of the file.
        cache: Where the clips go.

    Raises:
        OSError: If the cache cannot be written; what a damaged file does to its reader is a reason of the result.
    """
    try:
        found = read_spans(NameFinder(videos).find(work.file), list(work.spans.values()), cache.plain)
    except ImportError:
        raise
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        worded = isinstance(error, OSError | ValueError)
        reason = str(error) if worded else f"{type(error).__name__}: {error}"
        return DecodeResult(work.file, dict.fromkeys(work.spans, reason), may_pass(error))
    reasons = {}
    for key, clip in zip(work.spans, found, strict=True):
        if isinstance(clip, str):
            reasons[key] = clip
        else:
            cache.put(key, clip)
    return DecodeResult(work.file, reasons)


def may_pass(error: BaseException) -> bool:
    """Returns whether an error is, or was raised from, one of the machine: no memory, no share, no permission."""
    machine = isinstance(error, OSError) and error.errno in PASSING
    if machine or isinstance(error, MemoryError | FileNotFoundError):
        return True
    return error.__cause__ is not None and may_pass(error.__cause__)


def read_spans(file: Path, spans: Sequence[Span], plain: Preprocess) -> list[Decoded | str]:
    """Decodes spans of a file; frames are rounded to whole levels, and only those of the spans are held.

    Args:
        file: The video file.
        spans: The spans, which may overlap.
        plain: Size and rate of the clips, without normalisation.

    Returns:
        For each span a clip of as many whole seconds as the file has of it, or a sentence that it has none.

    Raises:
        ValueError: As `read_clip` does.
    """
    wanted = {second for span in spans for second in range(span.first, span.first + span.length)}
    seen = -1

    def keep(frame: Any) -> Tensor:
        nonlocal seen
        seen += 1
        if seen not in wanted:
            return torch.empty(0, dtype=torch.uint8)  # holds the place of a second that nobody asked for
        return (plain.image(upright(frame, file)) * 255).round().clamp(0, 255).to(torch.uint8)

    most = max(wanted) + 1
    film = read_film(file, keep, most)
    there = min(film.segments, most)
    if is_far_behind(most, film.seconds):
        raise ValueError(
            f"{file} has {float(film.seconds):.2f} s of sound with picture, but events in it last up to second {most}: "
            "write start and end in seconds."
        )
    wave = film.wave(there, plain.rate)
    return [
        # a slice would keep the sound of the whole file alive
        Decoded(torch.stack(film.pictures.shown[span.first : stop]), wave[span.first : stop].clone())
        if (stop := min(span.first + span.length, there)) > span.first
        else f"{file} has {float(film.seconds):.2f} s of sound with picture: no whole second from {span.first} s on."
        for span in spans
    ]
