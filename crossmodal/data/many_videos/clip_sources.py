"""Where clips come from: a folder of video files, or a data set in AVE's layout."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossmodal.data import AVE_CLASSES, Preprocess, read_clip
from crossmodal.data.annotations import read_classes, read_events
from crossmodal.data.ave import SEGMENTS
from crossmodal.data.frames import frame_files, read_frames
from crossmodal.data.many_videos.video_folder import failure, video_files
from crossmodal.data.wave import read_wave, resample_segments
from crossmodal.worker_pool import Failure


class Source(NamedTuple):
    """A clip's id, what a list of failures calls it, and where it is: a video file, or the root of a data set."""

    clip: str
    name: str
    place: Path


def sources(folder: Path, split: str | None) -> tuple[list[Source], list[str]]:
    """The clips of a folder by name, and the names of files beside videos that are none.

    A folder that holds `frames/` and `wave/` is in AVE's layout: all its clips, or those that the rows of `split` name.

    Raises `FileNotFoundError` or `ValueError` where there is no clip, or a split is asked of videos.
    """
    if (folder / "frames").is_dir() and (folder / "wave").is_dir():
        clips = of_split(folder, split) if split else of_layout(folder)
        if not clips:
            raise ValueError(f"{folder}/frames and {folder}/wave are empty: prepare clips by `crossmodal ave prepare`.")
        return [Source(clip, clip, folder) for clip in clips], []
    if split:
        raise ValueError(f"--split {split} is of a data set in AVE's layout, and {folder}/ has no frames/ and wave/.")
    videos, others = video_files(folder)
    return [Source(video.stem, video.name, video) for video in videos], others


def of_layout(root: Path) -> list[str]:
    """Every clip that has frames or a wave: one that lacks either fails, and is not passed over."""
    pictures, waves = {entry.name for entry in (root / "frames").iterdir()}, (root / "wave").glob("*.npy")
    return sorted(name for name in pictures | {wave.stem for wave in waves} if not name.startswith("."))


def of_split(root: Path, split: str) -> list[str]:
    """The clips that the rows of a split name, each once."""
    listed = root / "categories.txt"
    classes = read_classes(listed) if listed.is_file() else AVE_CLASSES
    return sorted({event.video for event in read_events(root / f"{split}Set.txt", classes, SEGMENTS)})


def read_source(source: Source, *, preprocess: Preprocess, wave_rate: int) -> tuple[np.ndarray, np.ndarray] | Failure:
    """The frames and the wave of a clip as a model takes them, or why they cannot be read."""
    try:
        if source.place.is_dir():
            images = read_frames(frame_files(source.place / "frames" / source.clip, SEGMENTS))
            stored = read_wave(source.place / "wave" / f"{source.clip}.npy", SEGMENTS, wave_rate)
            clip = preprocess(images, resample_segments(stored, wave_rate, preprocess.rate))
        else:
            clip = read_clip(source.place, preprocess)
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        return failure(error)
    return clip.frames.numpy(), clip.wave.numpy()
