"""Writes a folder of video files in LLP's layout: `crossmodal avvp prepare VIDEOS OUT`."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from crossmodal.data.clip import FilmedClip, Preprocess
from crossmodal.data.extras import need
from crossmodal.data.film_windows import film_windows
from crossmodal.data.llp import DENSE, ID_LENGTH, MEDIA, SPLITS, cut_times, video_id
from crossmodal.data.llp_rows import LLP_CLASSES, SEGMENTS, read_clip_labels, read_dense_events
from crossmodal.data.many_videos.ave_media import ClipFormat, ClipLayout, is_finished
from crossmodal.data.many_videos.made_from import MadeFrom, film_stamps
from crossmodal.data.many_videos.prepare_ave import (
    FAILED_CLIPS,
    describe_format,
    own_folder,
    prepare_clips,
    prepare_options,
)
from crossmodal.data.many_videos.video_folder import SOME_FAILED, failure, progress, video_files, write_failed
from crossmodal.io import folder_lock, write_whole
from crossmodal.worker_pool import Failure

if TYPE_CHECKING:
    from crossmodal.encoders.by_name import MotionFeatures

LLP_LAYOUT = ClipLayout("avvp prepare", f"{MEDIA}/frame", f"{MEDIA}/wave", id_length=ID_LENGTH)
MOTION = "r2plus1d_18"
COPIED = ("AVVP_dataset_full.csv", *DENSE.values())
ABOUT = """Writes LLP_dataset/frame/<id>/00000001.jpg … 00000010.jpg, the picture on screen in the middle of each of the
first ten seconds, and LLP_dataset/wave/<id>.npy, their sound, mono at 32 kHz, of every video file; the id is the first
eleven characters of its name. Copies the tables AVVP_….csv beside them, those of the splits without clips that are not
there or are of other seconds of a video, by names <id>_<start>_<end>. Run it again to go on where it was ended, and to
try again what failed. Exit code: 0, or 3 where some clips failed (OUT/failed.csv says which, and why), 1 where nothing
was done."""


def prepare(argv: Sequence[str], prog: str) -> int:
    """Prepares every clip that is not there yet.

    Args:
        argv: Words of the command line.
        prog: Name of the command.

    Returns:
        0, or 3 where some clips are missing at the end.

    Raises:
        ValueError: If two files have the same id, or a table does not parse.
    """
    options = prepare_options(prog, ABOUT, "AVVP_train.csv, …")
    options.add_argument("--motion", type=Path, help="weights of R(2+1)D-18: write feats/r2plus1d_18/, too")
    given = options.parse_args(list(argv))
    for module in ("av", "soxr", "tqdm"):
        need(module, f"crossmodal {prog}")
    form = ClipFormat(given.size, given.quality, given.pad)
    videos, _ = video_files(given.videos)
    check_ids(videos)
    tables = given.annotations or given.videos
    found = check_tables(tables)
    own_folder(given.out, form, apart_from={given.videos, tables}, layout=LLP_LAYOUT)
    print(f"{prog}: {len(videos)} video files of {given.videos}/ → {given.out}/ ({describe_format(form)})", flush=True)
    with folder_lock(given.out):
        failed = prepare_clips(videos, given.out, form, given.workers, given.cluster, LLP_LAYOUT)
        made = [video for video in videos if is_finished(given.out, video.stem, LLP_LAYOUT)]
        ready = {video_id(video.stem): video.stem for video in made}
        if given.motion:
            failed |= write_motion(made, given.out / MEDIA / "feats", given.motion)
        write_failed(given.out / FAILED_CLIPS, failed)
        lost = list(write_tables(tables, found, given.out, ready))
    for line in lost:
        print(line)
    listed = f", {len(failed)} failed: see {given.out / FAILED_CLIPS}" if failed else ""
    print(f"prepared {len(ready)} of {len(videos)}{listed}")
    return SOME_FAILED if failed or lost else 0


def write_motion(videos: Sequence[Path], out: Path, weights: Path) -> dict[str, str]:
    """Writes the features of motion that are not there, or are of other films or weights.

    Args:
        videos: Films of the clips that are there.
        out: Folder of all features.
        weights: Of R(2+1)D-18.

    Returns:
        Name of a film → why it has none.
    """
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    (out / MOTION).mkdir(parents=True, exist_ok=True)
    made = MadeFrom(out, {video: f"{stamp} {digest}" for video, stamp in film_stamps(videos).items()})
    there = [video.stem for video in videos if motion_file(out, video).exists()]
    stale = {*made.changed(there), *made.unknown(there)}
    missing = [video for video in videos if video.stem not in there or video.stem in stale]
    if not missing:
        return {}
    made.record([video.stem for video in missing])  # before any of them is written
    for video in missing:
        motion_file(out, video).unlink(missing_ok=True)
    from crossmodal.encoders.by_name import motion_features

    work = partial(write_motion_of, out=out, network=motion_features(weights))
    outcomes = progress("motion", work, missing, total=len(videos), workers=0)
    return {video.name: outcome.reason for video, outcome in outcomes if isinstance(outcome, Failure)}


def write_motion_of(file: Path, out: Path, network: "MotionFeatures") -> Failure | None:
    """Writes the features of motion of one film; its last second is repeated where it is shorter than a clip."""
    try:
        # frames and sound are not looked at: the smallest there are
        clip = next(film_windows(file, Preprocess(1, 8_000), SEGMENTS, moving=network.pictures))
        found = network(cast(FilmedClip, clip).pictures).numpy()
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        return failure(error)
    content = io.BytesIO()
    np.save(content, np.concatenate([found, found[-1:].repeat(SEGMENTS - len(found), 0)]))
    write_whole(motion_file(out, file), content.getbuffer())
    return None


def motion_file(out: Path, video: Path) -> Path:
    """Returns where the features of motion of a film lie."""
    return out / MOTION / f"{video_id(video.stem)}.npy"


def check_ids(videos: Sequence[Path]) -> None:
    """Refuses video files whose names begin with the same id.

    Raises:
        ValueError: If there are two.
    """
    known: dict[str, Path] = {}
    for video in videos:
        other = known.setdefault(video_id(video.stem), video)
        if other != video:
            raise ValueError(
                f"avvp prepare: {other.name} and {video.name} have the same id {video_id(video.stem)}, the first "
                "eleven characters of a name: keep one of them."
            )


def check_tables(folder: Path) -> list[str]:
    """Reads the tables that are in a folder, and returns their names.

    Raises:
        ValueError: If a row does not parse.
    """
    for name in (*SPLITS.values(), COPIED[0]):
        if (folder / name).is_file():
            read_clip_labels(folder / name, LLP_CLASSES)
    for name in DENSE.values():
        if (folder / name).is_file():
            read_dense_events(folder / name, LLP_CLASSES)
    return [name for name in (*SPLITS.values(), *COPIED) if (folder / name).is_file()]


def write_tables(folder: Path, names: Sequence[str], out: Path, ready: Mapping[str, str]) -> Iterator[str]:
    """Writes the tables beside the clips and yields, in words, what was left out.

    Args:
        folder: Where the tables are.
        names: Names of those that are there.
        out: Folder of the prepared clips.
        ready: Id of every clip that is there → name of its film, without suffix.
    """
    for name in names:
        content = (folder / name).read_text("utf-8-sig")  # any end of a line becomes a plain one
        if name in SPLITS.values():
            header, *rows = content.split("\n")
            place = header.split("\t").index("filename")
            clips = [(row.split("\t")[place].strip(), row) for row in rows if row.strip()]
            missing = [clip for clip, _ in clips if video_id(clip) not in ready]
            others = [clip for clip, _ in clips if video_id(clip) in ready and _is_of_other_seconds(clip, ready)]
            kept = [row for clip, row in clips if clip not in {*missing, *others}]
            content = "".join(f"{row}\n" for row in (header, *kept))
            if missing:
                yield f"{name}: {len(missing)} rows left out, for their clips are missing"
            if others:
                yield (
                    f"{name}: {len(others)} rows left out, for the films are of other seconds of their videos, the "
                    f"first {others[0]}, whose film is {ready[video_id(others[0])]}"
                )
        write_whole(out / name, content)


def _is_of_other_seconds(clip: str, ready: Mapping[str, str]) -> bool:
    """Returns whether the names of a clip and of the film of its id say that they are cut elsewhere."""
    asked, there = cut_times(clip), cut_times(ready[video_id(clip)])
    return None not in (asked, there) and asked != there
