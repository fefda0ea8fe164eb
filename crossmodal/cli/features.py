"""`crossmodal ave features VIDEOS OUT.h5`: what a trained run makes of every second of many clips."""

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from crossmodal.checkpoints import read_header
from crossmodal.cli.predict import load_run
from crossmodal.data import Clip, windows
from crossmodal.data.ave import SPLITS
from crossmodal.data.extras import need
from crossmodal.data.many_videos.clip_sources import Source, read_source, sources
from crossmodal.data.many_videos.many import Failure
from crossmodal.data.many_videos.video_folder import SOME_FAILED, int_at_least, progress, write_failed
from crossmodal.io import folder_lock
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.training.run_folder import ADAPTERS, asks_for_run, find_run, versions

if TYPE_CHECKING:
    from crossmodal.data.many_videos.feature_file import FeatureFile

ABOUT = """Writes the pooled features of every second of every clip: visual (row, channel), audio (row, channel), the
clip's id and its second (clip, segment), by id. Run it again to go on where it was ended, and to try again what failed.
Exit code: 0, or 3 where some clips failed (OUT.failed.csv says which, and why), 1 where nothing was done."""


def features(argv: Sequence[str]) -> int:
    """Writes the features that are not there yet; returns 0, or 3 where some clips failed."""
    given = options().parse_args(list(argv))
    for module in ("h5py", "tqdm", "av", "soxr"):
        need(module, "crossmodal ave features")
    from crossmodal.data.many_videos.feature_file import FeatureFile

    clips, others = sources(given.videos, given.split)
    run = find_run(given.runs, given.run)
    model, trained = load_run(run)
    file = FeatureFile(given.out, identity(run, model, given.videos))
    file.check([source.clip for source in clips])
    print(f"ave features: {len(clips)} clips of {given.videos}/ → {given.out}, by {run}", flush=True)
    if others:
        print(f"left alone, no videos by their names: {', '.join(others)}", flush=True)
    file.begin()
    with folder_lock(file.parts):
        rate = given.wave_rate or getattr(trained.data, "wave_rate", 32_000)
        read = partial(read_source, preprocess=model.preprocess, wave_rate=rate)
        failed = write_clips(file, clips, model.to(given.device), read, given.workers)
        rows = file.close(run=str(run), version=versions().get("crossmodal-blocks", "unknown"))
    listed = given.out.with_suffix(".failed.csv")
    write_failed(listed, failed)
    done = f"features of {len(clips) - len(failed)} of {len(clips)} clips, {rows} rows"
    print(done + (f", {len(failed)} failed: see {listed}" if failed else ""))
    return SOME_FAILED if failed else 0


def options() -> argparse.ArgumentParser:
    """The parser of `features`."""
    parser = argparse.ArgumentParser(prog="crossmodal ave features", description=ABOUT)
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="folder of video files, or of a data set in AVE's layout")
    add("out", type=Path, metavar="OUT.h5", help="a new file, or one that this command began")
    asks_for_run(parser)
    add("--split", choices=SPLITS, help="of a data set: the clips of this split alone (default: all)")
    add(
        "--wave_rate",
        type=int_at_least(1),
        help="samples a second of a data set's waves (default: as trained)",
    )
    add("--device", default="cpu", help="where the model runs (default: cpu)")
    add(
        "--workers",
        type=int_at_least(0),
        default=1,
        help="processes that read ahead (default: 1; 0: this one)",
    )
    return parser


def write_clips(
    file: "FeatureFile",
    clips: Sequence[Source],
    model: AudioVisualEvents,
    read: Callable[[Source], tuple[np.ndarray, np.ndarray] | Failure],
    workers: int,
) -> dict[str, str]:
    """Adds the features of the clips that are not finished, under a bar; returns name → reason for what failed."""
    done, failed = file.finished(), {}
    missing = [source for source in clips if source.clip not in done]
    for source, found in progress("ave features", read, missing, total=len(clips), workers=workers):
        if isinstance(found, Failure):
            failed[source.name] = found.reason
        else:
            file.add(source.clip, rows_of(model, Clip(*map(torch.from_numpy, found))))
    return failed


def rows_of(model: AudioVisualEvents, clip: Clip) -> dict[str, np.ndarray]:
    """The features of a clip of any length, in windows of ten seconds, as `predict` reads it, by stream."""
    device = next(model.parameters()).device
    found = [model.features(Clip(*(part.to(device) for part in window))) for window in windows(clip)]
    return {
        name: torch.cat([getattr(window, name)[0] for window in found]).cpu().numpy() for name in ("visual", "audio")
    }


def identity(run: Path, model: AudioVisualEvents, videos: Path) -> dict[str, str]:
    """What all rows of a file share: the very weights, what the clips look like, and where they are."""
    header = read_header(run / ADAPTERS)
    return {
        **{name: header[name] for name in ("recipe", "size", "classes", "frozen")},
        "adapters": hashlib.sha256((run / ADAPTERS).read_bytes()).hexdigest(),
        "preprocess": json.dumps(dataclasses.asdict(model.preprocess)),
        "videos": str(videos.resolve()),
    }
