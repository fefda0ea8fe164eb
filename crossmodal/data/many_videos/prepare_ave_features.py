"""Writes AVE's published feature files from videos: `crossmodal ave prepare VIDEOS OUT --layout features`."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file, save
from torch import Tensor

from crossmodal.data.annotations import Event
from crossmodal.data.ave_features import FILES, KEY, ORDER, SHAPES
from crossmodal.data.clip import Preprocess
from crossmodal.data.extras import need
from crossmodal.io import folder_lock, make_folder, remove_drafts, whole_file, write_whole
from crossmodal.option_parser import OptionParser
from crossmodal.worker_pool import Failure

from .ave_rows import ALL, CATEGORIES, SPLIT_FILES, AnnotationFiles, describe_annotations, read_annotation_files
from .made_from import MadeFrom, film_stamps
from .prepare_ave import FAILED_CLIPS, PREPARED, annotations_folder, say_changed
from .published_features import published_features
from .video_folder import SOME_FAILED, check_utf8_name, failure, progress, video_files, write_failed

PARTS = "parts"
ABOUT = """Writes visual_feature.h5 and audio_feature.h5, VGG-19 averaged over 16 frames of every second and VGGish of
every second of the first ten, a row per row of Annotations.txt, {train,val,test}_order.h5 of the splits, and the
annotations of the videos that could be read. Run it again to go on where it was ended, and to try again what failed.
Exit code: 0, or 3 where some clips failed (OUT/failed.csv says which, and why), 1 where nothing was done."""


class Extractors(NamedTuple):
    """Networks that make the features.

    Attributes:
        visual: Frames `(frame, 3, size, size)` → `(frame, token, channel)`.
        audio: Seconds `(segment, sample)` → `(segment, width)`.
        preprocess: Normalisation of the frames and rate of the sound.
    """

    visual: Callable[[Tensor], Tensor]
    audio: Callable[[Tensor], Tensor]
    preprocess: Preprocess


def prepare(argv: Sequence[str], prog: str) -> int:
    """Extracts what is not there yet, then writes the files.

    Args:
        argv: Words of the command line.
        prog: Name of the command.

    Returns:
        0, or 3 where some clips are missing at the end.
    """
    given = feature_options(prog).parse_args(list(argv))
    for module in ("av", "soxr", "tqdm", "h5py"):
        need(module, f"crossmodal {prog}")
    videos, others = video_files(given.videos)
    rows = read_annotation_files(annotations_folder(given.annotations or given.videos))
    if rows.absent:
        raise ValueError(
            f"{prog}: {rows.folder}/ has no {', '.join(rows.absent)}: the files hold a row per row of {ALL}, and the "
            "order files the rows of each split; give their folder by --annotations."
        )
    weights = {name: weights_digest(getattr(given, name)) for name in ("visual_weights", "audio_weights")}
    begin_feature_folder(given.out, weights, prog)
    print(f"{prog}: {len(videos)} video files of {given.videos}/ → {given.out}/", flush=True)
    if others:
        print(f"left alone, no videos by their names: {', '.join(others)}")
    for line in describe_annotations(rows, [video.stem for video in videos]):
        print(line, flush=True)
    with folder_lock(given.out):
        remove_drafts(given.out, given.out / PARTS)
        build = partial(extractors, given.visual_weights, given.audio_weights)
        failed = extract_missing(videos, given.out / PARTS, build)
        return report_features(rows, videos, failed, given.out)


def feature_options(prog: str) -> OptionParser:
    """Returns the parser."""
    parser = OptionParser(prog=f"crossmodal {prog}", description=ABOUT)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder of video files; a file's name without suffix is its id")
    add("out", type=Path, metavar="OUT", help="a new folder, or one that this command began")
    add("--annotations", type=Path, help="folder of Annotations.txt and of the splits (default: VIDEOS)")
    add("--visual_weights", type=Path, required=True, help="Keras' VGG-19 without its top, an .h5 file")
    add("--audio_weights", type=Path, required=True, help="VGGish, as torchvggish names it")
    return parser


def extractors(visual_weights: Path, audio_weights: Path) -> Extractors:
    """Builds the published extractors with their weights."""
    from crossmodal.encoders.by_name import audio_backbone, visual_backbone
    from crossmodal.injection import freeze

    sight = visual_backbone("vgg19", weights=visual_weights)
    hearing = audio_backbone("vggish", weights=audio_weights)
    visual, audio = freeze(sight.encoder), freeze(hearing.encoder)
    preprocess = Preprocess(sight.size, hearing.rate, sight.mean, sight.std)
    return Extractors(visual, lambda seconds: audio(hearing.sound(seconds)).mean(1), preprocess)


def extract_missing(videos: Sequence[Path], parts: Path, build: Callable[[], Extractors]) -> dict[str, str]:
    """Writes the features of the videos that are not finished, or are other films now, with a bar.

    Args:
        videos: The files.
        parts: Folder that gets a file per finished video; beside it lies the record of the films.
        build: Builds the extractors; not called where nothing is left to do.

    Returns:
        File name → reason for failures.
    """
    made = MadeFrom(parts.parent, film_stamps(videos))
    there = [video.stem for video in videos if part_of(parts, video.stem).exists()]
    changed = made.changed(there)
    say_changed(changed, made.unknown(there), made=f"its file in {parts}/")
    kept = {*there} - {*changed}
    missing = [video for video in videos if video.stem not in kept]
    if not missing:
        return {}
    made.record([video.stem for video in missing])  # before any of them is written
    for video in changed:
        part_of(parts, video).unlink()
    work = partial(write_part, parts=parts, made=build())
    outcomes = progress("features", work, missing, total=len(videos), workers=0)
    return {video.name: outcome.reason for video, outcome in outcomes if isinstance(outcome, Failure)}


def write_part(file: Path, parts: Path, made: Extractors) -> Failure | None:
    """Writes the features of one video; returns why it cannot be read, or `None`."""
    try:
        check_utf8_name(file.name)
        found = published_features(file, made.visual, made.audio, made.preprocess)
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        return failure(error)
    kept = {side: np.ascontiguousarray(rows.cpu().numpy()) for side, rows in found._asdict().items()}
    write_whole(part_of(parts, file.stem), save(kept))
    return None


def report_features(rows: AnnotationFiles, videos: Sequence[Path], failed: Mapping[str, str], out: Path) -> int:
    """Writes files and failures, prints the last lines, and returns the exit code."""
    ready = {video.stem for video in videos if part_of(out / PARTS, video.stem).exists()}
    gone = {name: f"named in {', '.join(files)}, but not there." for name, files in rows.lacking(ready).items()}
    of_failed = {Path(name).stem for name in failed}
    write_failed(out / FAILED_CLIPS, {**failed, **{name: why for name, why in gone.items() if name not in of_failed}})
    kept = write_feature_files(rows, ready, out)
    lost = len(rows.tables[ALL]) - kept
    print(f"features of {kept} rows of {ALL}" + (f", {lost} left out: see {out / FAILED_CLIPS}" if lost else ""))
    return SOME_FAILED if failed or gone else 0


def write_feature_files(rows: AnnotationFiles, ready: Collection[str], out: Path) -> int:
    """Writes annotations, order files and features of the rows whose videos are ready; returns how many there are.

    Raises:
        ValueError: If no row has a video, or a split has none.
    """
    kept = [(event, line) for event, line in rows.tables[ALL] if event.video in ready]
    places: dict[Event, int] = {event: at for at, (event, _) in enumerate(kept)}
    orders = {name: [places[event] for event, _ in rows.tables[name] if event in places] for name in SPLIT_FILES}
    if empty := [name for name, order in orders.items() if not order]:
        raise ValueError(
            f"ave prepare: no row of {', '.join(empty)} has features: nothing was written beside {out / PARTS}/. Add "
            "the videos, and run the command again."
        )
    for side, name in FILES.items():
        write_features(out / f"{name}.h5", side, [part_of(out / PARTS, event.video) for event, _ in kept])
    for name, order in orders.items():
        with whole_file(out / f"{name.removesuffix('Set.txt')}_{ORDER}.h5") as draft:
            write_h5(draft, ORDER, np.array(order, dtype=np.int64))
    if (rows.folder / CATEGORIES).is_file():
        write_whole(out / CATEGORIES, (rows.folder / CATEGORIES).read_bytes())
    write_whole(out / ALL, "".join(f"{line}\n" for _, line in kept))  # last: a reader counts its rows
    return len(kept)


def write_features(file: Path, side: str, parts: Sequence[Path]) -> None:
    """Writes the rows of one modality, one at a time, in float64 as published."""
    import h5py

    with whole_file(file) as draft, h5py.File(draft, "w") as opened:
        rows = opened.create_dataset(KEY, (len(parts), *SHAPES[side]), np.float64)
        for at, part in enumerate(parts):
            rows[at] = load_file(part)[side].reshape(SHAPES[side])


def write_h5(file: Path, key: str, values: np.ndarray) -> None:
    """Writes one array."""
    import h5py

    with h5py.File(file, "w") as opened:
        opened[key] = values


def begin_feature_folder(out: Path, weights: Mapping[str, str], prog: str) -> None:
    """Makes the folder, or checks that it was begun with the same weights.

    Raises:
        ValueError: If it holds other things, or was begun with other weights.
    """
    settings, begun = json.dumps(weights) + "\n", out / PREPARED
    if begun.is_file():
        if begun.read_text("utf-8") != settings:
            raise ValueError(
                f"{prog}: {out}/ was begun with other weights ({begun.read_text('utf-8').strip()} there, "
                f"{settings.strip()} now, by their SHA-256): give the same files, or another folder."
            )
        return
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{prog}: {out}/ holds other things: give a new folder.")
    make_folder(out)
    make_folder(out / PARTS)
    write_whole(begun, settings)


def weights_digest(file: Path) -> str:
    """Returns the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def part_of(parts: Path, video: str) -> Path:
    """Returns where the features of a finished video are kept."""
    return parts / f"{video}.safetensors"
