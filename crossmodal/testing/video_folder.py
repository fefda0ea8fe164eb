"""A small folder of videos and its table of labels, for tests and first steps with what reads it."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.extras import need

RATE, FPS, SIDE = 16_000, 5, 64
LOOKS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
GREY = (128, 128, 128)


def write_videos(
    root: str | Path, *, files: int = 12, seconds: int = 3, classes: Sequence[str] = ("red", "blue")
) -> Path:
    """Writes `root/videos/clip00.mp4`, … and `root/labels.csv`, which `crossmodal.data.Folder` reads.

    In the seconds of its event a film shows the colour of its class and sounds its tone; the first second is grey and
    silent. A model can learn it in seconds.

    Args:
        root: A folder that is empty or does not exist.
        files: Number of films.
        seconds: Length of each film, at least two seconds.
        classes: Some of `red`, `green`, `blue`, used in turn.

    Returns:
        The path of the table.

    Raises:
        ValueError: If `root` holds something, or there is no such class.
        ImportError: If the extra `recipes` is not installed.
    """
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"write_videos: root={str(root)!r} is not empty: give a new folder.")
    if unknown := [name for name in classes if name not in LOOKS]:
        raise ValueError(f"write_videos: the class {unknown[0]!r} is none of {', '.join(LOOKS)}.")
    (root / "videos").mkdir(parents=True)
    rows = [(f"clip{index:02d}.mp4", classes[index % len(classes)], 1, seconds) for index in range(files)]
    for name, label, *_ in rows:
        _write_film(root / "videos" / name, label, seconds)
    table = root / "labels.csv"
    with table.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened, lineterminator="\n").writerows([("file", "label", "start", "end"), *rows])
    return table


def _write_film(file: Path, label: str, seconds: int) -> None:
    av = need("av", "write_videos")
    with av.open(str(file), "w") as out:
        video, audio = out.add_stream("mpeg4", rate=FPS), out.add_stream("aac", rate=RATE, layout="mono")
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        for stream, frames in ((video, _pictures(av, label, seconds)), (audio, _sounds(av, label, seconds))):
            for frame in frames:
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))  # what the encoder still holds back


def _pictures(av: Any, label: str, seconds: int) -> Iterator[Any]:
    for index in range(seconds * FPS):
        pixels = np.full((SIDE, SIDE, 3), LOOKS[label] if index >= FPS else GREY, np.uint8)
        yield av.VideoFrame.from_ndarray(pixels, format="rgb24")


def _sounds(av: Any, label: str, seconds: int) -> Iterator[Any]:
    times = np.arange(seconds * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 300 * 2.0 ** [*LOOKS].index(label) * times) * (times >= 1)
    for start in range(0, len(tone), 1024):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, start
        yield frame
