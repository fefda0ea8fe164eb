"""The page of a video file: what a run says of every second, and where it looks in the first of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from crossmodal.data import Clip
from crossmodal.evaluation.report.looking import SECONDS, look
from crossmodal.evaluation.report.page import element, facts, page, scrolling, strip
from crossmodal.heads.events import DecodedEvents
from crossmodal.io import write_whole
from crossmodal.tasks.coupled_system import AudioVisual

PAGES = "predictions"
"""Folder of a run."""

WINDOWS = 6
"""So many windows of a film are drawn; the others are strips alone."""


class Window(NamedTuple):
    """Ten seconds of a film at most, and what is said of them."""

    clip: Clip
    decoded: DecodedEvents


def write_film(file: Path, model: AudioVisual, film: Path, run: Path, windows: Sequence[Window]) -> None:
    """Writes the page `file` of the video `film`, as `run` hears and sees it; makes its folder where there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    seconds = sum(len(window.clip.frames) for window in windows)
    drawn = min(WINDOWS, len(windows))
    rest = "" if drawn == len(windows) else f" Maps are drawn for the first {drawn} windows of ten seconds only."
    parts = [
        element("h1", film.name),
        facts({"by": run, "seconds": seconds, "events it knows": ", ".join(model.classes)}),
        element("p", f"Every second has its event, or background, and how sure the model is of it.{rest} Maps are "
                "those of the last coupler that has one over tokens; colours go from the least to the greatest value "
                "in the window, which stand below them."),
    ]  # fmt: skip
    for number, (clip, decoded) in enumerate(windows):
        start = number * SECONDS
        labels, scores = decoded.labels[0].tolist(), decoded.confidence[0].tolist()
        if number < drawn:
            parts.append(element("h2", f"{start}–{start + len(labels)} s"))
        elif number == drawn:
            parts.append(element("h2", f"From {start} s on"))
        said = strip(labels, model.classes, scores=scores, start=start)
        parts.append(scrolling(element("p", f"from {start} s", class_="row") if number >= drawn else "", said))
        if number < drawn:
            parts.append(look(model, clip, name=f"window{number}", start=start))
    write_whole(file, page(f"{film.name}, by {run.name}", *parts))
