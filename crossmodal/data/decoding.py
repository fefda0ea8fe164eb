"""Decoding of a video file's sound or picture with times, through PyAV."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .extras import need

if TYPE_CHECKING:
    from av.container import InputContainer

StreamKind = Literal["audio", "video"]
_WORDS: dict[StreamKind, tuple[str, str]] = {
    "audio": ("sound", "it is silent. Give it an audio track; one of zeros will do"),
    "video": ("picture", "it holds sound alone. Give it a video track"),
}


class Timed(NamedTuple):
    """Decoded frame, and the seconds of the file's own clock at which it starts and ends."""

    start: Fraction
    end: Fraction
    frame: Any


def decoded(file: Path, kind: StreamKind) -> Iterator[Timed]:
    """Yields the decoded frames of one kind in the order in which they are heard or seen.

    Args:
        file: The video file.
        kind: `"audio"` or `"video"`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no stream of this kind, holds no frame of it, or stops decoding, saying at which second.
    """
    reached: Timed | None = None
    with opened(file) as container:
        stream = _stream(container, kind, file)
        try:
            for reached in _timed(container.decode(stream), stream):
                yield reached
        except need("av", "read_clip").FFmpegError as error:
            raise ValueError(
                f"read_clip: {file} is cut or damaged: its {_WORDS[kind][0]} stops decoding at "
                f"{float(reached.end if reached else 0):.2f} s ({error.strerror}). Copy the file again."
            ) from error
    if reached is None:
        raise ValueError(f"read_clip: {file} is cut: its {kind} stream holds no whole frame. Copy the file again.")


@contextmanager
def opened(file: Path) -> Iterator["InputContainer"]:
    """Opens a media file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video that FFmpeg can read.
    """
    av = need("av", "read_clip")
    if not file.is_file():
        raise FileNotFoundError(f"read_clip: there is no file {file}: check the path.")
    try:
        container = av.open(str(file), metadata_errors="replace")
    except av.FFmpegError as error:
        raise ValueError(
            f"read_clip: {file} is no video that FFmpeg can read, or is cut before its index ({error.strerror}): "
            "copy it again, or convert it to MP4."
        ) from error
    with container:
        if container.format.name == "tty":  # FFmpeg plays any text file as a film of its letters
            raise ValueError(f"read_clip: {file} is no video but text: give a video file.")
        yield container


def promised_end(file: Path) -> Fraction | None:
    """Returns the second at which the longer of sound and picture ends by the file's header; `None` if it does not say.

    Raises:
        ValueError: If the file lacks one of the two streams, or is an AVI shorter than its header says (FFmpeg shortens
            the times of such a file to what is left).
    """
    with opened(file) as container:
        streams = [_stream(container, kind, file) for kind in _WORDS]
        if container.format.name == "avi":
            _check_riff(file)
        if all(stream.duration for stream in streams):
            return max(((stream.start_time or 0) + stream.duration) * stream.time_base for stream in streams)
        if container.duration is None:
            return None
        return Fraction((container.start_time or 0) + container.duration, 1_000_000)


def _stream(container: "InputContainer", kind: StreamKind, file: Path) -> Any:
    stream: Any = container.streams.best(kind)
    if stream is None or stream.disposition & type(stream.disposition).attached_pic:  # a cover is no film
        name, fix = _WORDS[kind]
        raise ValueError(f"read_clip: {file} has no {name} (no {kind} stream): {fix}.")
    if kind == "video":
        stream.thread_type = "AUTO"  # several frames at once, too, which PyAV does not do by itself
    return stream


def _timed(frames: Iterable[Any], stream: Any) -> Iterator[Timed]:
    """Yields frames with their times; untimed ones follow on.

    AVI keeps no presentation times: once one goes back, decoding times are trusted.
    """
    last, trusted, end = None, "pts", Fraction(0)
    for frame in frames:
        if None not in (frame.pts, last) and frame.pts < last:
            trusted = "dts"
        last, ticks = frame.pts, getattr(frame, trusted)
        # fractions: sums of floating-point times drift by whole frames in long files
        start = end if ticks is None else ticks * Fraction(frame.time_base)
        end = start + _duration(frame, stream)
        yield Timed(start, end, frame)


def _duration(frame: Any, stream: Any) -> Fraction:
    if stream.type == "audio":
        return Fraction(frame.samples, frame.sample_rate)
    if frame.duration:
        return frame.duration * Fraction(frame.time_base)
    return 1 / Fraction(stream.average_rate or 25)  # a still or a broken header has no rate


def _check_riff(file: Path) -> None:
    with file.open("rb") as content:
        promised = int.from_bytes(content.read(8)[4:], "little") + 8
    size = file.stat().st_size
    # files above 4 GiB cannot state their size in the header
    if size < promised < 2**32:
        raise ValueError(
            f"read_clip: {file} is cut: its header promises {promised} bytes, it has {size}. Copy the file again."
        )
