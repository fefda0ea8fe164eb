"""`crossmodal ave reproduce --data AVE --weights FILE`: the released weights on the test split."""

import argparse
import json
import platform
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import default_collate

from crossmodal.checkpoints import Imported, fetch, import_dg_sct_ave, read_weights
from crossmodal.checkpoints.released_files import RELEASED_FILES
from crossmodal.data import AVE, AVE_CLASSES, LabelledClip
from crossmodal.evaluation.published import published
from crossmodal.evaluation.resumable import Kept, sha256
from crossmodal.heads import decode_events
from crossmodal.injection import fingerprint
from crossmodal.io import write_whole
from crossmodal.metrics import majority_share, reference_segment_accuracy, segment_accuracy
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents, full_size
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.training.run_folder import versions

CLIPS = 402
"""Of AVE's test split as published."""
NAMED = 10
"""Clips that cannot be read which are named on the screen; of more a file holds all."""


def reproduce(argv: Sequence[str], build: Callable[..., AudioVisualEvents] = full_size) -> None:
    """Runs the released weights over the test split and prints what they reach beside what was published.

    - `build`: the model by its `coupled=`, at the size of the weights.

    Predictions are kept clip by clip: the same command goes on where it was stopped.
    """
    given = arguments(argv)
    file = fetch(given.weights) if given.weights in RELEASED_FILES else Path(given.weights)
    if not file.is_file():
        raise FileNotFoundError(f"ave reproduce: --weights {file} does not exist.")
    data = AVE(given.data, "test", wave_rate=given.wave_rate)
    if data.classes != AVE_CLASSES:
        raise ValueError(f"ave reproduce: {given.data}/categories.txt must list AVE's 28 classes in their order.")
    missing = checked(data, given)
    wanted = [index for index, video in enumerate(data.videos) if video not in missing][: given.limit]
    kept = Kept(given.out, identity(given, file))
    model, report = released(file, build)
    print(report, flush=True)
    data.preprocess, started = model.preprocess, time.monotonic()
    todo = [index for index in wanted if index not in kept]
    try:
        missing |= predict(model.to(given.device), data, todo, kept, given)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command goes on from what {given.out}/ keeps") from None
    seconds, done = time.monotonic() - started, [index for index in wanted if index in kept]
    facts = {**outcome(kept, done), "clips": len(done), "clips_of_the_split": len(data), "missing": missing}
    about = {
        "command": shlex.join(["crossmodal", "ave", "reproduce", *argv]),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 1),
        "clips_predicted_now": len(set(todo) & set(done)),
        "tensors": {"mapped": len(set(report.mapped.values())), "dropped": len(report.dropped)},
        "fingerprint": fingerprint(model),
        "platform": platform.platform(),
        **kept.identity,
    }
    kept.write_csv(done, data.videos, data.classes)
    write_whole(given.out / "result.json", json.dumps({**facts, "published": reference(), **about}, indent=2) + "\n")
    say(facts, given.out)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="crossmodal ave reproduce", description=str(reproduce.__doc__).split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of AVE, as `crossmodal.data.AVE` reads it")
    add("--weights", required=True, help="the released file, best_82.18.pt, or its tensors as safetensors")
    add("--out", type=Path, default=Path("reproduce"), help="folder of predictions and result; begun ones go on")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where the model runs")
    add("--batch_size", type=int, default=1, help="clips at a time")
    add("--wave_rate", type=int, default=32_000, help="samples a second of the stored waves")
    add("--limit", type=int, help="only so many clips, for a trial")
    add("--skip_missing", action="store_true", help="go on without clips that cannot be read")
    given = parser.parse_args(list(argv))
    for name in ("batch_size", "limit", "wave_rate"):
        if (value := getattr(given, name)) is not None and value < 1:
            raise ValueError(f"ave reproduce: --{name} {value} must be at least 1.")
    try:
        torch.empty(1, device=given.device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"ave reproduce: --device {given.device} cannot be used: {str(error).splitlines()[0]}"
        ) from error
    return given


def checked(data: AVE, given: argparse.Namespace) -> dict[str, list[str]]:
    """What clips lack, by id; raises where something is missing and was not said to be skipped."""
    missing = data.check()
    if not missing:
        print(f"data: {len(data)} clips in the test split, all there", flush=True)
        return {}
    named = ", ".join(list(missing)[:NAMED])
    if len(missing) > NAMED:
        given.out.mkdir(parents=True, exist_ok=True)
        rows = [f"{video}\t{' '.join(problems)}\n" for video, problems in missing.items()]
        write_whole(given.out / "missing.txt", "".join(rows))
        named += f" and {len(missing) - NAMED} more, all in {given.out / 'missing.txt'}"
    first = next(iter(missing.values()))[0]
    what = f"{len(missing)} videos of the test split cannot be read: {named}. The first: {first}"
    if not given.skip_missing:
        raise ValueError(f"ave reproduce: {what} Complete the data, or go on without them by --skip_missing.")
    print(f"data: {what} Going on without them: the number will be one of fewer clips.", flush=True)
    return missing


def released(file: Path, build: Callable[..., AudioVisualEvents]) -> tuple[AudioVisualEvents, Imported]:
    """The released model in evaluation mode, and what became of every tensor."""
    found = read_weights(file)
    with torch.device("meta"):
        model = build(coupled=dg_sct_released)
    report = import_dg_sct_ave(model, found)
    return model.eval(), report


def predict(
    model: AudioVisualEvents, data: AVE, todo: Sequence[int], kept: Kept, given: argparse.Namespace
) -> dict[str, list[str]]:
    """Predicts the clips of these indices, keeping each batch as it comes; returns those that could not be read."""
    from tqdm import tqdm

    unread: dict[str, list[str]] = {}
    with tqdm(total=len(todo), unit="clip", desc="released weights") as bar, torch.inference_mode():
        for start in range(0, len(todo), given.batch_size):
            asked = todo[start : start + given.batch_size]
            found = {index: clip for index in asked if (clip := read(data, index, unread, given.skip_missing))}
            if found:
                clips = default_collate(list(found.values()))
                events = model(clips.frames.to(given.device), clips.wave.to(given.device))
                kept.add(list(found), clips.labels, decode_events(events))
            bar.update(len(asked))
    return unread


def read(data: AVE, index: int, unread: dict[str, list[str]], skip: bool) -> LabelledClip | None:
    """A clip; where it cannot be read, which a look at names and sizes did not show, `None` if that may be."""
    try:
        return data[index]
    except (OSError, ValueError) as error:
        if not skip:
            raise
        unread[data.videos[index]] = [str(error)]
        return None


def outcome(kept: Kept, wanted: Sequence[int]) -> dict[str, float]:
    """Both metrics, and what the most frequent label would get."""
    truth, prediction = kept.labels(wanted)
    return {
        "segment_accuracy": segment_accuracy(prediction, truth).item(),
        "reference_segment_accuracy": reference_segment_accuracy(prediction, truth, batch_size=1).item(),
        "majority_share": majority_share(truth).item(),
    }


def identity(given: argparse.Namespace, file: Path) -> dict[str, Any]:
    """What predictions depend on: they are only kept together with others of the same."""
    gpu = torch.cuda.get_device_name(given.device) if str(given.device).startswith("cuda") else None
    return {
        "weights": {"file": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)},
        "data": {name: sha256(given.data / name) for name in ("Annotations.txt", "testSet.txt")},
        "wave_rate": given.wave_rate,
        "device": gpu or f"{given.device}, {platform.machine()}",
        "versions": {**versions(), "python": platform.python_version()},
    }


def reference() -> dict[str, Any]:
    """What is published of these weights, in [0, 1], and by whom."""
    of = {figure.metric: figure for figure in published("AVE") if figure.method == "DG-SCT"}
    slides, file = of["accuracy"], of["accuracy of the checkpoint"]
    shares = {"accuracy": round(float(slides.percent) / 100, 4), "checkpoint": round(float(file.percent) / 100, 4)}
    return {**shares, "clips": CLIPS, "source": f"{slides.source}; {file.source}"}


def say(facts: dict[str, Any], out: Path) -> None:
    """The table at the end."""
    part = "" if facts["clips"] == CLIPS else f"; the published number is one of {CLIPS}"
    print(f"\nDG-SCT as released, on {facts['clips']} of {facts['clips_of_the_split']} clips of the test split{part}")
    rows = [
        ("segment_accuracy", "segments counted (segment_accuracy)"),
        (
            "reference_segment_accuracy",
            "mean of batches of one clip, as the released code (reference_segment_accuracy)",
        ),
        ("majority_share", "the most frequent label alone"),
    ]
    for name, meaning in rows:
        print(f"  {100 * facts[name]:6.2f} %  {meaning}")
    told = reference()
    print(f"  {100 * told['accuracy']:6.1f}  %  published, of a checkpoint named {100 * told['checkpoint']:.2f}")
    print(f"written to {out}/result.json, with what it was run on; each second is in {out}/predictions.csv")
