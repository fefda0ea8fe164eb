"""Clips a second of `predict` on films: decoding, batches, threads that read ahead, and the share of waiting."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from crossmodal.evaluation.films import FilmReader
from crossmodal.injection import fast_linears
from crossmodal.tasks.resolve import find_task

from ..results import Found
from ..setting import Setting
from ..tables import markdown
from .throughput import batches_of

THREADS = (0, 1, 2)
SECONDS = 10
"""Of a clip."""
WIDTH, HEIGHT, RATE, SAMPLES = 640, 360, 30, 44_100
"""Pixels, pictures a second and samples a second: those of a film of AVE."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a size, clips in a batch and number of threads; at full size the tiny one is measured beside it."""
    return {
        f"{at.size}, {size} clips, {threads} threads": partial(measured, at, size, threads)
        for at in (setting._replace(size=name) for name in dict.fromkeys(("tiny", setting.size)))
        for size in batches_of(at)
        for threads in THREADS
    }


def measured(setting: Setting, size: int, threads: int) -> Found:
    """Clips a second from the opening of the first film to the last prediction, and the share of it that is waiting.

    There is a film more than `setting.rounds`, each as long as a batch. The model has run once before.
    """
    model = fast_linears(setting.model()).eval()
    with torch.inference_mode():
        model(setting.batch(model, size))
    with tempfile.TemporaryDirectory() as folder:
        films = [Path(folder, f"{number}.mp4") for number in range(1 + setting.rounds)]
        for film in films:
            film.write_bytes(film_bytes(SECONDS * size))
        reader = FilmReader(
            find_task("ave"), model, words=(), seconds=SECONDS, batch_size=size, threads=threads, kept=0
        )
        began, clips = time.perf_counter(), 0
        for film, windows in reader.read(films):
            if isinstance(windows, Exception):
                raise RuntimeError(f"benchmarks: {film} could not be read") from windows
            clips += len(windows)
        passed = time.perf_counter() - began
    return {"clips": clips / passed, "waiting": reader.waiting_time.share}


@cache
def film_bytes(seconds: int) -> bytes:
    """A film of that length, H.264 and AAC: a slope that moves, grainy, and a tone with noise."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "film.mp4")
        with av.open(str(file), "w") as out:
            video, audio = out.add_stream("libx264", rate=RATE), out.add_stream("aac", rate=SAMPLES, layout="mono")
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.options = {"preset": "veryfast"}
            for stream, frames in ((video, pictures(seconds, rng)), (audio, sounds(seconds, rng))):
                for frame in frames:
                    out.mux(stream.encode(frame))
                out.mux(stream.encode(None))
        return file.read_bytes()


def pictures(seconds: int, rng: np.random.Generator) -> Iterator[Any]:
    """The pictures of a film."""
    slope = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] + np.array([0, 80, 160])
    grain = rng.integers(0, 16, slope.shape)
    for number in range(RATE * seconds):
        frame = av.VideoFrame.from_ndarray(((slope + 3 * number + grain) % 256).astype(np.uint8), format="rgb24")
        frame.pts = number
        yield frame


def sounds(seconds: int, rng: np.random.Generator) -> Iterator[Any]:
    """The sound of a film, in pieces of a second."""
    for number in range(seconds):
        wave = 0.3 * np.sin(np.arange(SAMPLES) / 16) + 0.05 * rng.standard_normal(SAMPLES)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SAMPLES, number * SAMPLES
        yield frame


def table(found: Mapping[str, Found]) -> str:
    """A row a size, batch and number of threads."""
    rows = [[name, f"{of['clips']:.3g}", f"{of['waiting']:.0%}"] for name, of in found.items()]
    return markdown(["`predict` on films", "clips a second", "of it, waiting for films"], rows)
