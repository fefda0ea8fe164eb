"""Decoding of a video file's sound or picture with times, through PyAV."""

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .extras import need
from .packet_clock import DROPPING, JOINT, PacketClock

if TYPE_CHECKING:
    from av.container import InputContainer

StreamKind = Literal["audio", "video"]
_WORDS: dict[StreamKind, tuple[str, str]] = {
    "audio": ("sound", "it is silent. Give it an audio track; one of zeros will do"),
    "video": ("picture", "it holds sound alone. Give it a video track"),
}


PROTOCOLS = "file,crypto,data"
"""What a file may refer to: other files, as a playlist does, and no other host."""


STRICT = {"err_detect": "explode"}


if hasattr(os, "register_at_fork"):
    # Decoders have threads. In a forked reader of data these do not exist, and where the collector frees a decoder that
    # this process left behind, it would wait for them for ever: it is kept.
    os.register_at_fork(after_in_child=gc.freeze)


class Timed(NamedTuple):
    """Decoded frame, and the seconds of the file's own clock at which it starts and ends."""

    start: Fraction
    end: Fraction
    frame: Any


def decoded(file: Path, kind: StreamKind, *, strict: Mapping[str, str] = STRICT) -> Iterator[Timed]:
    """Yields the decoded frames of one kind in the order in which they are heard or seen.

    Args:
        file: The video file.
        kind: `"audio"` or `"video"`.
        strict: Options of decoders that would pass over damage otherwise. Left out where not even the first picture
            can be decoded by them: then they object to how the whole film is written.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no stream of this kind, holds no frame of it, stops decoding, or is damaged by the
            decoder's own account, saying at which second.
    """
    reached: Timed | None = None
    name = _WORDS[kind][0]
    with opened(file) as container:
        stream = _stream(container, kind, file)
        if stream.codec_context.name in DROPPING:
            stream.codec_context.options = {**strict}
        clock = PacketClock(stream)
        try:
            for reached, lost in _timed(_frames(container, stream, clock), stream, clock):
                _check_decoded(file, name, lost, reached.start if reached.frame.is_corrupt else None)
                yield reached
            _check_decoded(file, name, clock.lost_at_end(), None)
        except need("av", "read_clip").FFmpegError as error:
            if reached is None and stream.codec_context.options:
                yield from decoded(file, kind, strict={})
                return
            raise ValueError(
                f"read_clip: {file} is cut or damaged: its {name} stops decoding at "
                f"{float(reached.end if reached else 0):.2f} s ({error.strerror}). Copy the file again."
            ) from error
    if reached is None:
        raise ValueError(f"read_clip: {file} is cut: its {kind} stream holds no whole frame. Copy the file again.")


def _check_decoded(file: Path, name: str, lost: Fraction | None, concealed: Fraction | None) -> None:
    """Raises `ValueError` where a picture is missing or concealed, at the second given."""
    for second, said in ((lost, "did not decode"), (concealed, "is concealed by the decoder")):
        if second is not None:
            raise ValueError(
                f"read_clip: {file} is damaged: its {name} at {float(second):.2f} s {said}. Copy the file again."
            )


def _frames(container: "InputContainer", stream: Any, clock: "PacketClock") -> Iterator[Any]:
    """Yields the frames of a stream; the clock sees the packets of sound and picture alike."""
    every = [found for kind in _WORDS if (found := container.streams.best(kind)) is not None]
    for packet in container.demux(every):
        clock.see(packet)
        if packet.stream.index == stream.index:
            yield from packet.decode()


READING = 3
"""Counts the ways in which films have been read here: of 1, sounds of long films differ by up to 1e-4; of 1 and 2,
transparent pixels had the colours that are stored there."""


def decoder_versions() -> str:
    """Returns the versions of what makes numbers of a film: a cache of decoded clips is keyed by them.

    Raises:
        ImportError: Without the extra `recipes`.
    """
    av, soxr = need("av", "read_clip"), need("soxr", "read_clip")
    libraries = " ".join(f"{name} {'.'.join(map(str, version))}" for name, version in av.library_versions.items())
    return f"PyAV {av.__version__} ({libraries}), soxr {soxr.__version__}, reading {READING}"


@contextmanager
def opened(file: Path) -> Iterator["InputContainer"]:
    """Opens a media file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video that FFmpeg can read.
    """
    av = need("av", "read_clip")
    if file.is_dir():
        raise IsADirectoryError(f"read_clip: {file} is a folder: give a video file, one of those in it, say.")
    if not file.is_file():
        raise FileNotFoundError(f"read_clip: there is no file {file}: check the path.")
    try:
        # with its protocol and whole path: FFmpeg would take a name such as "take:1.mp4" for an address
        place = f"file:{file.absolute()}"
        container = av.open(place, metadata_errors="replace", options={"protocol_whitelist": PROTOCOLS})
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
        # Matroska's writers count its length from zero or from its start: the shorter of both is promised
        start = 0 if "matroska" in container.format.name else container.start_time or 0
        return Fraction(start + container.duration, 1_000_000)


def _stream(container: "InputContainer", kind: StreamKind, file: Path) -> Any:
    stream: Any = container.streams.best(kind)
    if stream is None or stream.disposition & type(stream.disposition).attached_pic:  # a cover is no film
        name, fix = _WORDS[kind]
        raise ValueError(f"read_clip: {file} has no {name} (no {kind} stream): {fix}.")
    if kind == "video":
        stream.thread_type = "AUTO"  # several frames at once, too, which PyAV does not do by itself
    return stream


def _timed(frames: Iterable[Any], stream: Any, clock: "PacketClock") -> Iterator[tuple[Timed, Fraction | None]]:
    """Yields frames with their times; untimed ones follow on. With each, the time of a picture lost before it.

    AVI keeps no presentation times: once one goes back, decoding times are trusted. Where times go back by more than
    that, the file is joined of several recordings, and the next one follows on the last.
    """
    last, trusted, end, part = None, "pts", Fraction(0), 0
    for frame in frames:
        ticks, base = getattr(frame, trusted), Fraction(frame.time_base)
        if None not in (frame.pts, last) and frame.pts < last:
            if (last - frame.pts) * base > JOINT and part + 1 < len(clock.shifts):
                part += 1
            else:
                trusted = "dts"
                ticks = frame.dts
        last = frame.pts
        start = end if ticks is None else ticks * base + clock.shifts[part]
        end = start + _duration(frame, stream)
        yield Timed(start, end, frame), clock.lost_before(part, frame.pts)


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
