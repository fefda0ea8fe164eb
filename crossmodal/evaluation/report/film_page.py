"""The page of a video file: what a run predicts window by window, and the maps of the first windows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from crossmodal.evaluation.films import Window
from crossmodal.io import make_folder, write_whole
from crossmodal.tasks.pictures import with_pictures
from crossmodal.tasks.task import Task

from .map_figures import ItemMaps, item_maps, maps_remark
from .page import Picture, as_picture, page_style, render

PAGES = "predictions"
"""Folder of a run."""

MAPPED, DRAWN, FEW = 6, 60, 12
"""Windows with maps, windows with a picture of their prediction, and lines that need no folding."""


class DrawnWindow(NamedTuple):
    """A window as the template takes it.

    Attributes:
        heading: Its seconds.
        prediction: Picture of its prediction.
        maps: Pictures of its maps; `None` where they are left out.
    """

    heading: str
    prediction: Picture
    maps: ItemMaps | None


def write_film(file: Path, system: nn.Module, task: Task, film: Path, run: Path, windows: Sequence[Window]) -> None:
    """Writes the page of a film, and makes its folder where there is none.

    Args:
        file: Page to write.
        system: Trained system.
        task: What it was trained for.
        film: Video file.
        run: Folder of the run.
        windows: All windows of the film, in order.
    """
    make_folder(file.parent)
    classes: Sequence[str] = getattr(system, "classes", ())
    facts = {"by": run, "seconds": sum(len(window.clip.frames) for window in windows)}
    if classes:
        facts["labels it knows"] = ", ".join(classes)
    page = render(
        "film.html",
        title=film.name,
        facts=facts,
        remarks=[maps_remark(system), *_remarks(len(windows))],
        lines=[told.line for told in task.tell(windows, classes)],
        few=FEW,
        windows=list(_drawn(system, task, classes, windows)),
    )
    write_whole(file, page)


def _drawn(system: nn.Module, task: Task, classes: Sequence[str], windows: Sequence[Window]) -> Iterator[DrawnWindow]:
    """Yields the pictures of the first windows."""
    start = 0
    for number, (clip, prediction) in enumerate(windows[:DRAWN]):
        with page_style():
            figure = task.draw(prediction, with_pictures(clip, system), classes, start=start)
            drawn = as_picture(figure, f"window {number}")
        maps = item_maps(system, clip, name=f"window {number}", start=start) if number < MAPPED else None
        yield DrawnWindow(f"{start}–{start + len(clip.frames)} s", drawn, maps)
        start += len(clip.frames)


def _remarks(windows: int) -> Iterator[str]:
    """Yields sentences on what is left out."""
    if windows > MAPPED:
        yield f"Maps are drawn for the first {MAPPED} windows only."
    if windows > DRAWN:
        yield f"Predictions are drawn for the first {DRAWN} windows; those of all {windows} are in words."
