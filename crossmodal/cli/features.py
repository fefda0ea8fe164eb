"""`crossmodal TASK features VIDEOS OUT.h5`: pooled features of every second of many clips, by a trained run."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from crossmodal.checkpoints import read_header
from crossmodal.data import Clip
from crossmodal.data.extras import need
from crossmodal.data.many_videos.ave_rows import some
from crossmodal.data.many_videos.clip_sources import ClipSource, clip_sources, clip_stamp, read_clip_source
from crossmodal.data.many_videos.video_folder import SOME_FAILED, int_at_least, progress, write_failed
from crossmodal.data.many_videos.window_file import WindowFile
from crossmodal.data.published_tables import SPLITS
from crossmodal.data.same_text import printable
from crossmodal.data.waiting_time import WaitingTime
from crossmodal.evaluation.films import UNSURE
from crossmodal.evaluation.items import batch_like
from crossmodal.io import folder_lock, make_folder
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.coupled_system import CoupledSystem, Pooled
from crossmodal.tasks.task import Task
from crossmodal.training.finite import NotANumberError, check_outputs
from crossmodal.training.run import load_run
from crossmodal.training.run_folder import ADAPTERS, add_run_options, find_run, versions
from crossmodal.worker_pool import Failure

from .check_device import check_device

if TYPE_CHECKING:
    from crossmodal.data.many_videos.feature_file import FeatureFile

ABOUT = """Writes the pooled features of every second of every clip: visual (row, channel), audio (row, channel), the
clip's id and its second (clip, segment), by id. Run it again to go on where it was ended, and to try again what failed.
Exit code: 0, or 3 where some clips failed (OUT.failed.csv says which, and why), 1 where nothing was done."""


def features(argv: Sequence[str], task: Task) -> int:
    """Writes the features that are not there yet; returns 0, 3 where clips failed, 2 where the system has none."""
    command = f"{task.name} features"
    given = options(command).parse_args(list(argv))
    check_device(given.device, command)
    for module in ("h5py", "tqdm", "av", "soxr"):
        need(module, f"crossmodal {command}")
    from crossmodal.data.many_videos.feature_file import FeatureFile

    clips, others = clip_sources(given.videos, given.split)
    run = find_run(given.runs, given.run, task.name)
    system, trained = load_run(run, task)
    if not isinstance(system, CoupledSystem):
        print(
            f"crossmodal: {command}: the system {trained.system!r} pools no streams of encoders: it has no features.",
            file=sys.stderr,
        )
        return 2
    rate = given.wave_rate or getattr(trained.data, "wave_rate", 32_000)
    seconds = getattr(trained.data, "segments", task.segments)
    stamps = {source.clip: clip_stamp(source, rate, seconds) for source in clips}
    file = FeatureFile(given.out, identity(run, system, given.videos), stamps)
    file.check()  # before the first clip is read
    print(f"{command}: {len(clips)} clips of {given.videos}/ → {given.out}, by {run}", flush=True)
    if others:
        print(f"left alone, no videos by their names: {', '.join(map(printable, others))}", flush=True)
    make_folder(file.parts)
    with folder_lock(file.parts):
        file.begin()  # within the lock: it removes drafts, which another command may be writing
        say_changed(file)
        read = partial(
            read_clip_source,
            preprocess=system.preprocess,
            wave_rate=rate,
            seconds=seconds,
            folder=file.parts.absolute(),
        )
        extract, waiting = partial(feature_rows, system.to(given.device)), WaitingTime()
        failed = write_clips(file, clips, read, extract, waiting, workers=given.workers, cluster=given.cluster)
        rows = file.close(run=str(run), version=versions().get("crossmodal-blocks", "unknown"))
    listed = given.out.with_suffix(".failed.csv")
    write_failed(listed, failed)
    done = f"features of {len(clips) - len(failed)} of {len(clips)} clips, {rows} rows"
    if waiting.waited:
        print(waiting.line("clips"))
    print(done + (f", {len(failed)} failed: see {listed}" if failed else ""))
    return SOME_FAILED if failed else 0


def options(command: str) -> OptionParser:
    """Returns the parser of `features`."""
    parser = OptionParser(prog=f"crossmodal {command}", description=ABOUT)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder of video files, or of a data set in AVE's layout")
    add("out", type=Path, metavar="OUT.h5", help="a new file, or one that this command began")
    add_run_options(parser)
    add("--split", choices=SPLITS, help="of a data set: the clips of this split alone (default: all)")
    add(
        "--wave_rate",
        type=int_at_least(1),
        help="samples a second of a data set's waves (default: as the run was trained)",
    )
    add("--device", default="cpu", help="where the model runs (default: cpu)")
    add(
        "--workers",
        type=int_at_least(0),
        default=1,
        help="processes that read ahead (default: 1; 0: none of their own)",
    )
    add("--cluster", help="dask scheduler whose workers read instead: tcp://HOST:8786, or its scheduler file")
    return parser


def say_changed(file: "FeatureFile") -> None:
    """Prints which clips are extracted anew, and of which nobody knows whether they should be."""
    if changed := file.changed():
        print(f"anew: {len(changed)} clips, for they, an option or the decoder changed: {some(changed)}", flush=True)
    if unknown := file.unstamped():
        print(
            f"kept: {len(unknown)} clips of an earlier version, which kept no record of what they were: "
            f"{some(unknown)}; to extract them anew, give another file.",
            flush=True,
        )


def write_clips(
    file: "FeatureFile",
    clips: Sequence[ClipSource],
    read: Callable[[ClipSource], WindowFile | Failure],
    extract: Callable[[Iterable[Clip]], dict[str, np.ndarray] | Failure],
    waiting: WaitingTime,
    *,
    workers: int,
    cluster: str | None = None,
) -> dict[str, str]:
    """Adds the features of the clips that are not finished, with a bar; returns name → reason for what failed.

    Args:
        file: Where features are written.
        clips: All clips.
        read: Reads the windows of a clip.
        extract: Computes features of windows.
        waiting: Measures how long `extract` waits for clips.
        workers: Processes that read.
        cluster: Dask scheduler whose workers read instead.
    """
    done, failed = file.finished(), {}
    missing = [source for source in clips if source.clip not in done]
    # a path in this folder is another file there
    if cluster is not None:  # whose workers run in other folders
        missing = [source._replace(place=source.place.absolute()) for source in missing]
    ahead = progress("features", read, missing, total=len(clips), workers=workers, cluster=cluster)
    for source, found in waiting.over(ahead):
        rows = found if isinstance(found, Failure) else extract(found.windows())
        if isinstance(found, WindowFile):
            found.file.unlink(missing_ok=True)
        if isinstance(rows, Failure):
            failed[source.name] = rows.reason
        else:
            file.add(source.clip, rows)
    return failed


def feature_rows(system: CoupledSystem, windows: Iterable[Clip]) -> dict[str, np.ndarray] | Failure:
    """Returns the features of a clip of any length by stream, window by window, as `predict` reads it.

    Args:
        system: The system.
        windows: Windows of the clip.

    Returns:
        Stream → `(segment, channel)`; a `Failure` where one is no number.
    """
    like, found = next(system.parameters()), []
    for window in windows:
        pooled = system.features(batch_like(window, like))
        try:
            check_outputs(pooled, window, "features", verdict=UNSURE)
        except NotANumberError as error:
            return Failure(str(error))
        # at least float32: numpy knows no bfloat16
        found.append(Pooled(*(part[0].cpu().to(torch.promote_types(part.dtype, torch.float32)) for part in pooled)))
    return {
        name: torch.cat(parts).numpy() for name, parts in zip(Pooled._fields, zip(*found, strict=True), strict=True)
    }


def identity(run: Path, system: CoupledSystem, videos: Path) -> dict[str, str]:
    """Returns what all rows of a file share: the very weights, what the clips look like, and where they are."""
    header = read_header(run / ADAPTERS)
    return {
        **{name: header[name] for name in ("system", "classes", "frozen")},
        # the weights themselves: a run trained anew under its old name has the same header
        "adapters": hashlib.sha256((run / ADAPTERS).read_bytes()).hexdigest(),
        "preprocess": json.dumps(dataclasses.asdict(system.preprocess)),
        "videos": str(videos.resolve()),
    }
