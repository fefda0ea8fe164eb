"""Sources of clips: a folder of video files, or a data set in AVE's layout."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crossmodal.data import AVE_CLASSES, Clip, Preprocess, windows
from crossmodal.data.annotations import read_classes, read_events
from crossmodal.data.ave import SEGMENTS
from crossmodal.data.decoding import decoder_versions
from crossmodal.data.film_windows import film_windows
from crossmodal.data.frames import frame_files, read_frames
from crossmodal.data.many_videos.video_folder import check_utf8_name, video_files
from crossmodal.data.many_videos.window_file import WindowFile, write_windows
from crossmodal.data.same_text import NameFinder
from crossmodal.data.stamps import file_stamp, library_versions, short_digest
from crossmodal.data.wave import read_wave, resample_segments
from crossmodal.worker_pool import Failure


class ClipSource(NamedTuple):
    """Source of one clip: its id, its name in a list of failures, and a video file or the root of a data set."""

    clip: str
    name: str
    place: Path


def clip_sources(folder: Path, split: str | None) -> tuple[list[ClipSource], list[str]]:
    """Lists the clips of a folder by name, and the names of files beside videos that are none.

    A folder that holds `frames/` and `wave/` is in AVE's layout: all its clips, or those that the rows of `split` name.

    Args:
        folder: The folder.
        split: Split of a data set; `None` takes all clips.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there is no clip, or a split is asked of videos.
    """
    if (folder / "frames").is_dir() and (folder / "wave").is_dir():
        clips = of_split(folder, split) if split else of_layout(folder)
        if not clips:
            raise ValueError(f"{folder}/frames and {folder}/wave are empty: prepare clips by `crossmodal ave prepare`.")
        return [ClipSource(clip, clip, folder) for clip in clips], []
    if split:
        raise ValueError(f"--split {split} is of a data set in AVE's layout, and {folder}/ has no frames/ and wave/.")
    videos, others = video_files(folder)
    return [ClipSource(video.stem, video.name, video) for video in videos], others


def of_layout(root: Path) -> list[str]:
    """Lists every clip that has frames or a wave: one that lacks either fails, and is not passed over."""
    pictures, waves = {entry.name for entry in (root / "frames").iterdir()}, (root / "wave").glob("*.npy")
    return sorted(name for name in pictures | {wave.stem for wave in waves} if not name.startswith("."))


def of_split(root: Path, split: str) -> list[str]:
    """Lists the clips that the rows of a split name, each once, by their names on the disk."""
    listed = root / "categories.txt"
    classes = read_classes(listed) if listed.is_file() else AVE_CLASSES
    finder = NameFinder(root / "frames")
    return sorted({finder.find(event.video).name for event in read_events(root / f"{split}Set.txt", classes, SEGMENTS)})


def clip_stamp(source: ClipSource, wave_rate: int, seconds: int) -> str:
    """Returns a digest that changes with the files of a clip, what reads them, and the options of its features.

    Args:
        source: Where the clip is.
        wave_rate: Samples per second of the waves of a data set.
        seconds: Seconds of a window.
    """
    if not source.place.is_dir():
        return short_digest(f"{file_stamp(source.place)} {seconds} {decoder_versions()}")
    frames = source.place / "frames" / source.clip
    pictures = sorted(frames.iterdir()) if frames.is_dir() else []
    files = file_stamp(*pictures, source.place / "wave" / f"{source.clip}.npy")
    return short_digest(f"{files} {seconds} {wave_rate} {library_versions('pillow', 'soxr')}")


def read_clip_source(
    source: ClipSource, *, preprocess: Preprocess, wave_rate: int, seconds: int, folder: Path
) -> WindowFile | Failure:
    """Reads a clip as a model takes it into a file of windows, or returns why it cannot be read.

    Args:
        source: Where the clip is.
        preprocess: Size, rate and normalisation that the model wants.
        wave_rate: Samples per second of the waves of a data set.
        seconds: Seconds of a window.
        folder: Where the file is written.

    Raises:
        OSError: If it cannot be written.
    """
    found = _windows_of(source, preprocess=preprocess, wave_rate=wave_rate, seconds=seconds)
    return write_windows(found, folder)


def _windows_of(source: ClipSource, *, preprocess: Preprocess, wave_rate: int, seconds: int) -> Iterator[Clip]:
    """Yields the windows of a clip; those of a film as it is decoded."""
    check_utf8_name(source.name)
    if source.place.is_dir():
        images = read_frames(frame_files(source.place / "frames" / source.clip, SEGMENTS))
        stored = read_wave(source.place / "wave" / f"{source.clip}.npy", SEGMENTS, wave_rate)
        yield from windows(preprocess(images, resample_segments(stored, wave_rate, preprocess.rate)), seconds)
    else:
        yield from (Clip(window.frames, window.wave) for window in film_windows(source.place, preprocess, seconds))
