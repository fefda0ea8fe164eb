"""Writing of a video file's pictures and sound as AVE stores them: ten JPEGs and ten seconds of wave."""

import io
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from crossmodal.data.ave import SEGMENTS
from crossmodal.data.many_videos.video_folder import check_utf8_name, failure
from crossmodal.data.orientation import upright
from crossmodal.data.video import Film, read_film
from crossmodal.io import remove_drafts, whole_folder, write_whole
from crossmodal.worker_pool import Failure

WAVE_RATE = 32_000


class ClipLayout(NamedTuple):
    """Names of a published layout.

    Attributes:
        command: Command that writes it, for errors.
        frames: Folder of the frames, one folder per clip.
        wave: Folder of the waves, one file per clip.
        id_length: Characters of a video file's name that are the clip's id; `None` for all before the suffix.
    """

    command: str = "ave prepare"
    frames: str = "frames"
    wave: str = "wave"
    id_length: int | None = None


AVE_LAYOUT = ClipLayout()


class ClipFormat(NamedTuple):
    """Format in which clips are stored.

    Attributes:
        size: Shorter side of a frame in pixels; a larger picture is shrunk (bicubic, antialiased, its aspect ratio
            kept), a smaller one is left. `None` leaves all at their own size.
        quality: Quality of the JPEGs, as Pillow counts it.
        pad: Let a clip that ends early repeat its last frame and be silent.
    """

    size: int | None = None
    quality: int = 95
    pad: bool = False


def write_clip(file: Path, out: Path, form: ClipFormat, layout: ClipLayout = AVE_LAYOUT) -> Failure | None:
    """Writes the frames and then the wave of a clip, each at once, so that a clip with a wave is a whole one.

    Returns:
        Why the file cannot be read; `None` where it was.

    Raises:
        OSError: If `out` cannot be written.
    """
    try:
        check_utf8_name(file.name)
        frames, wave = decode_clip(file, form)
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        return failure(error)
    pictures, sound = clip_paths(out, file.stem, layout)
    for folder in (pictures.parent, sound.parent):  # in a shared folder, those made elsewhere may not be seen yet
        folder.mkdir(parents=True, exist_ok=True)
    # before the wave, which tells that the clip is whole
    with whole_folder(pictures) as draft:
        for number, frame in enumerate(frames, start=1):
            Image.fromarray(frame.numpy()).save(draft / f"{number:08d}.jpg", quality=form.quality)
    content = io.BytesIO()
    np.save(content, wave)
    write_whole(sound, content.getbuffer())
    return None


def clip_paths(out: Path, video: str, layout: ClipLayout = AVE_LAYOUT) -> tuple[Path, Path]:
    """Returns where the frames and the wave of a video go."""
    clip = video[: layout.id_length]
    return out / layout.frames / clip, out / layout.wave / f"{clip}.npy"


def is_finished(out: Path, video: str, layout: ClipLayout = AVE_LAYOUT) -> bool:
    """Returns whether a clip was written: its wave comes last."""
    return all(place.exists() for place in clip_paths(out, video, layout))


def remove_clip(out: Path, video: str, layout: ClipLayout = AVE_LAYOUT) -> None:
    """Removes a finished clip, its wave first: what is left by a kill is no finished clip."""
    pictures, sound = clip_paths(out, video, layout)
    sound.unlink(missing_ok=True)
    shutil.rmtree(pictures, ignore_errors=True)


def clear_drafts(out: Path, layout: ClipLayout = AVE_LAYOUT) -> None:
    """Removes what a killed run left half-written."""
    remove_drafts(out, out / layout.frames, out / layout.wave)


def decode_clip(file: Path, form: ClipFormat) -> tuple[list[Tensor], np.ndarray]:
    """Decodes the frame on screen in the middle of each of the first ten seconds, and their sound, flat.

    Raises:
        ValueError: As `crossmodal.data.read_clip` does; if the picture changes its size; if the file is shorter than
            ten seconds and `form.pad` is not set.
    """
    film = read_film(file, lambda frame: shrink(upright(frame, file), form.size), most=SEGMENTS)
    check_length(file, film, form)
    shown = film.pictures.shown
    shown += shown[-1:] * (SEGMENTS - len(shown))
    for second, frame in enumerate(shown):
        if frame.shape != shown[0].shape:
            (height, width), (rows, columns) = shown[0].shape[:2], frame.shape[:2]
            raise ValueError(
                f"the picture of {file} changes from {width} × {height} to {columns} × {rows} pixels before second "
                f"{second + 1}: convert it to one size."
            )
    return shown, film.wave(SEGMENTS, WAVE_RATE).flatten().numpy()


def check_length(file: Path, film: Film, form: ClipFormat) -> None:
    """Checks that there are ten whole seconds, or any picture at all where the rest may be padded.

    Raises:
        ValueError: If not.
    """
    if film.segments < SEGMENTS and not (form.pad and film.pictures.shown):
        rest = "too short to pad" if form.pad else "--pad repeats its last frame and adds silence"
        raise ValueError(
            f"{file} has {float(film.seconds):.2f} s of sound with picture, shorter than a clip of {SEGMENTS} s: "
            f"{rest}."
        )


def shrink(picture: Tensor, size: int | None) -> Tensor:
    """Returns a picture `(3, height, width)`, its shorter side `size` at most: uint8 `(height, width, 3)`."""
    picture = picture.permute(1, 2, 0)
    height, width = picture.shape[:2]
    if size is None or size >= min(height, width):
        return picture.contiguous()
    scale = size / min(height, width)
    smaller = Image.fromarray(picture.contiguous().numpy()).resize(
        (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC
    )
    return torch.from_numpy(np.array(smaller))
