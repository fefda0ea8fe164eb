"""Masks of a film as files: a PNG for every second, and a video of the masks over the frames."""

import glob
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.extras import need
from ..data.mask_png import write_mask
from ..io import make_folder, whole_file, write_whole
from .mask_figure import fitted, overlaid

VIDEO_RATE = 44_100
"""Samples per second of the video's sound."""


def write_mask_files(folder: Path, name: str, frames: Tensor, wave: Tensor, probability: Tensor) -> str:
    """Writes `NAME_0000.png`, … and `NAME_overlay.mp4`; masks of later seconds, of a longer film before, are removed.

    Args:
        folder: Where to; made where it is missing.
        name: Of the film.
        frames: `(segment, 3, height, width)`, RGB in [0, 1].
        wave: `(segment, sample)`.
        probability: `(segment, rows, columns)` in [0, 1].

    Returns:
        What was written.
    """
    make_folder(folder)
    for second, mask in enumerate(probability > 0.5):
        write_whole(folder / f"{name}_{second:04d}.png", write_mask(mask))
    for file in folder.glob(f"{glob.escape(name)}_[0-9][0-9][0-9][0-9].png"):
        if int(file.stem[-4:]) >= len(probability):
            file.unlink()
    images = frames.cpu().float().permute(0, 2, 3, 1)
    painted = torch.stack(overlaid(images, fitted(probability, images.shape[1:3])))
    with whole_file(folder / f"{name}_overlay.mp4") as draft:
        write_overlay(draft, (255 * painted).round().to(torch.uint8).numpy(), wave.detach().cpu().float().numpy())
    return f"{len(probability)} masks and {name}_overlay.mp4 in {folder}/"


def write_overlay(file: Path, images: np.ndarray, wave: np.ndarray) -> None:
    """Writes a video of one picture a second, with sound.

    Args:
        file: Video to write.
        images: `(segment, height, width, 3)`, bytes; both sides even.
        wave: `(segment, sample)` in [-1, 1].
    """
    av = need("av", "predict --masks")
    with av.open(str(file), "w", format="mp4") as out:
        video = out.add_stream("mpeg4", rate=1)
        video.height, video.width = (side - side % 2 for side in images.shape[1:3])
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", rate=VIDEO_RATE, layout="mono")
        for second, image in enumerate(images):
            even = np.ascontiguousarray(image[: video.height, : video.width])
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            frame.pts, frame.time_base = second, Fraction(1)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for packet in _encoded_sound(av, audio, wave):
            out.mux(packet)


def _encoded_sound(av: Any, stream: Any, wave: np.ndarray) -> Iterator[Any]:
    """Encodes the sound of all seconds, in blocks of the size that the codec takes."""
    rate = wave.shape[1]
    resampler = av.AudioResampler("fltp", "mono", VIDEO_RATE, frame_size=stream.codec_context.frame_size or 1024)
    for second, samples in enumerate(wave.astype(np.float32)):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, second * rate, Fraction(1, rate)
        for block in resampler.resample(frame):
            yield from stream.encode(block)
    for block in resampler.resample(None):
        yield from stream.encode(block)
    yield from stream.encode(None)
