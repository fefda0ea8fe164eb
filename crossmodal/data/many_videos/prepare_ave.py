"""Writes a folder of video files in AVE's layout: `crossmodal ave prepare VIDEOS OUT`."""

import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from crossmodal.data.extras import need
from crossmodal.data.many_videos.ave_media import (
    AVE_LAYOUT,
    ClipFormat,
    ClipLayout,
    clear_drafts,
    clip_paths,
    is_finished,
    remove_clip,
    write_clip,
)
from crossmodal.data.many_videos.ave_rows import (
    AnnotationFiles,
    describe_annotations,
    read_annotation_files,
    some,
    write_annotation_files,
)
from crossmodal.data.many_videos.made_from import MadeFrom, film_stamps
from crossmodal.data.many_videos.video_folder import (
    SOME_FAILED,
    cores,
    int_at_least,
    progress,
    video_files,
    write_failed,
)
from crossmodal.data.same_text import printable
from crossmodal.io import folder_lock, make_folder, wait_until_seen, write_whole
from crossmodal.option_parser import OptionParser
from crossmodal.worker_pool import Failure

PREPARED, FAILED_CLIPS = "prepared.json", "failed.csv"
ABOUT = """Writes frames/<id>/00000001.jpg … 00000010.jpg, the picture on screen in the middle of each of the first ten
seconds, and wave/<id>.npy, their sound, mono at 32 kHz, of every video file <id>.*, and copies the annotations beside
them. Run it again to go on where it was ended, and to try again what failed. Exit code: 0, or 3 where some clips failed
(OUT/failed.csv says which, and why), 1 where nothing was done."""


def prepare(argv: Sequence[str], prog: str) -> int:
    """Prepares every clip that is not there yet.

    Args:
        argv: Words of the command line.
        prog: Name of the command.

    Returns:
        0, or 3 where some clips are missing at the end.
    """
    given = prepare_options(prog).parse_args(list(argv))
    for module in ("av", "soxr", "tqdm"):
        need(module, f"crossmodal {prog}")
    form = ClipFormat(given.size, given.quality, given.pad)
    videos, others = video_files(given.videos)
    rows = read_annotation_files(annotations_folder(given.annotations or given.videos))
    own_folder(given.out, form, apart_from={given.videos, rows.folder})
    print(f"{prog}: {len(videos)} video files of {given.videos}/ → {given.out}/ ({describe_format(form)})")
    if others:
        print(f"left alone, no videos by their names: {', '.join(map(printable, others))}")
    for line in describe_annotations(rows, [video.stem for video in videos]):
        print(line, flush=True)
    # two commands at once would clear each other's drafts
    with folder_lock(given.out):
        failed = prepare_clips(videos, given.out, form, given.workers, given.cluster)
        return report_prepared(rows, videos, failed, given.out)


def prepare_options(
    prog: str, about: str = ABOUT, annotations: str = "Annotations.txt, trainSet.txt, …"
) -> OptionParser:
    """Returns the parser."""
    parser = OptionParser(prog=f"crossmodal {prog}", description=about)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder of video files; a file's name without suffix is its id")
    add("out", type=Path, metavar="OUT", help="a new folder, or one that this command began")
    add("--annotations", type=Path, help=f"folder of {annotations} (default: VIDEOS)")
    add(
        "--size",
        type=int_at_least(1),
        help="shorter side of a frame; larger ones are shrunk (default: native)",
    )
    add("--quality", type=int_at_least(1, 100), default=95, help="of the JPEGs, 1 to 100 (default: 95)")
    add("--pad", action="store_true", help="let clips end early: repeat the last frame, add silence (default: refuse)")
    add("--workers", type=int_at_least(0), default=cores(), help="processes (default: one a core; 0: this one)")
    add("--cluster", help="dask scheduler whose workers do it instead: tcp://HOST:8786, or its scheduler file")
    return parser


def prepare_clips(
    videos: Sequence[Path],
    out: Path,
    form: ClipFormat,
    workers: int,
    cluster: str | None = None,
    layout: ClipLayout = AVE_LAYOUT,
) -> dict[str, str]:
    """Writes the clips that are not finished, or are of another film; returns name → reason for those that failed."""
    clear_drafts(out, layout)
    made = MadeFrom(out, film_stamps(videos))
    finished = [video.stem for video in videos if is_finished(out, video.stem, layout)]
    changed = made.changed(finished)
    say_changed(changed, made.unknown(finished))
    for video in changed:
        remove_clip(out, video, layout)
    kept = {*finished} - {*changed}
    missing = [video for video in videos if video.stem not in kept]
    if cluster is not None:  # whose workers run in other folders
        missing, out = [video.absolute() for video in missing], out.absolute()
    work = partial(write_clip, out=out, form=form, layout=layout)
    try:
        made.record([video.stem for video in videos if video.stem not in kept])  # before any of them is written
        failed = {}
        outcomes = progress(layout.command, work, missing, total=len(videos), workers=workers, cluster=cluster)
        for film, outcome in outcomes:
            if isinstance(outcome, Failure):
                failed[film.name] = outcome.reason
            else:  # on this machine it is seen at once
                _, sound = clip_paths(out, film.stem, layout)
                wait_until_seen(sound, partial(is_finished, out, film.stem, layout))
        return failed
    except OSError as error:
        raise OSError(f"{layout.command} stopped in {out}/: {error} Then run the same command again.") from error


def say_changed(changed: Sequence[str], unknown: Sequence[str], *, made: str = "its wave") -> None:
    """Prints which finished clips are made anew, and of which nobody knows whether they should be.

    Args:
        changed: Clips that are made anew.
        unknown: Clips that are kept.
        made: What to remove of a clip so that it is made anew.
    """
    if changed:
        print(f"made anew: {len(changed)} clips, for their films or the decoder changed: {some(changed)}", flush=True)
    if unknown:
        print(
            f"kept: {len(unknown)} clips of an earlier version, which kept no record of their films: {some(unknown)}; "
            f"if a film changed since, remove {made}, and run this again.",
            flush=True,
        )


def report_prepared(rows: AnnotationFiles, videos: Sequence[Path], failed: dict[str, str], out: Path) -> int:
    """Writes the list of failures and the annotations, prints the last lines, and returns the exit code."""
    names = [video.stem for video in videos]
    ready = [name for name in names if is_finished(out, name)]
    gone = {name: f"named in {', '.join(files)}, but not there." for name, files in rows.lacking(names).items()}
    write_failed(out / FAILED_CLIPS, {**failed, **gone})
    for line in write_annotation_files(rows, out, ready):
        print(line)
    listed = f"see {out / FAILED_CLIPS}"
    if gone:
        print(f"{len(gone)} videos that the annotations name are not there: {listed}")
    print(f"prepared {len(ready)} of {len(videos)}" + (f", {len(failed)} failed: {listed}" if failed else ""))
    return SOME_FAILED if failed or gone else 0


def annotations_folder(path: Path) -> Path:
    """Returns the folder of annotations: itself, or that of the `Annotations.txt` named."""
    folder = path.parent if path.is_file() else path
    if not folder.is_dir():
        raise FileNotFoundError(f"ave prepare: --annotations {path} is no folder of Annotations.txt, trainSet.txt, ….")
    return folder


def own_folder(out: Path, form: ClipFormat, *, apart_from: Collection[Path], layout: ClipLayout = AVE_LAYOUT) -> None:
    """Makes `out`, or checks that this command made it and in the same way; nothing else is ever written into.

    Raises:
        ValueError: If it holds other things, was begun with other options, or is one of `apart_from`.
    """
    settings = json.dumps(form._asdict()) + "\n"
    if out.resolve() in {folder.resolve() for folder in apart_from}:
        raise ValueError(f"{layout.command}: OUT is {out}/ itself, which holds the originals: give another folder.")
    begun = out / PREPARED
    if begun.is_file():
        if begun.read_text("utf-8") != settings:
            raise ValueError(
                f"{layout.command}: {out}/ was begun with {begun.read_text('utf-8').strip()}, now asked for "
                f"{settings.strip()}: give the same options, or another folder."
            )
    elif out.exists() and (not out.is_dir() or any(not entry.name.startswith(".") for entry in out.iterdir())):
        raise ValueError(f"{layout.command}: {out} holds something that this command did not write: give a new folder.")
    make_folder(out)
    write_whole(begun, settings)  # first: what is written next is known as this command's
    for folder in (out / layout.frames, out / layout.wave):
        folder.mkdir(parents=True, exist_ok=True)


def describe_format(form: ClipFormat) -> str:
    """Returns the options in words."""
    size = "native size" if form.size is None else f"at most {form.size} pixels on the shorter side"
    return f"10 frames a clip, {size}, JPEG quality {form.quality}; mono sound at 32 kHz{'; padded' * form.pad}"
