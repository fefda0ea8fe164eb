"""Predictions for many films: several are read at a time, and their windows share the batches of one model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from crossmodal.data.clip import Clip, FilmedClip
from crossmodal.data.film_windows import film_windows
from crossmodal.data.read_ahead import read_ahead
from crossmodal.data.waiting_time import WaitingTime
from crossmodal.encoders.by_name import MotionFeatures
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.task import Features, SystemModule, Task
from crossmodal.training.finite import NotANumberError, checked_prediction

UNSURE = "the weights of the run, or the film, are not finite"


class Window(NamedTuple):
    """A stretch of a film and the prediction for it.

    Attributes:
        clip: The stretch.
        prediction: Of the batch of this one clip.
    """

    clip: Clip
    prediction: Any


@dataclass(frozen=True)
class FilmReader:
    """What is asked of every film, and how.

    Attributes:
        task: What the system was trained for.
        system: Trained system, in evaluation mode, on its device.
        words: What is asked beside the film, such as questions.
        seconds: Of a window.
        batch_size: Windows that share a run of the model: those of the same shape that are not cut short.
        threads: Films that are decoded at a time; 0 decodes in this thread.
        kept: Windows of a film whose content is kept beside their predictions; `None` keeps all.
        motion: Makes the features of motion that the system reads; `None` where it reads none.
        waiting_time: Measures how long the model waits for windows.
    """

    task: Task
    system: SystemModule
    words: Sequence[str]
    seconds: int
    batch_size: int = 1
    threads: int = 1
    kept: int | None = None
    motion: MotionFeatures | None = None
    waiting_time: WaitingTime = field(default_factory=WaitingTime)

    def read(self, films: Sequence[Path]) -> Iterator[tuple[Path, list[Window] | Exception]]:
        """Yields every film with its windows, or with the error that ended it, as they are done."""
        windows = partial(
            film_windows,
            preprocess=self.system.inputs.preprocess,
            segments=self.seconds,
            moving=self.motion.pictures if self.motion else None,
        )
        open_films = {film: _OpenFilm() for film in films}
        waiting: dict[Any, list[_Asked]] = {}
        pieces = read_ahead(films, windows, threads=self.threads, ahead=2 * self.batch_size)
        for film, content in self.waiting_time.over(pieces):
            if film not in open_films:
                continue  # it has failed, and is still being read
            if content is None:
                open_films[film].ended = True
            elif isinstance(content, Exception):
                open_films[film].error = content
            else:
                asked = self._ask(open_films[film], content)
                group = waiting.setdefault(asked.shape, [])
                group.append(asked)
                # guidance over the clip takes clips of another length one at a time
                if len(group) == self.batch_size or len(content.frames) < self.seconds:
                    self._predict(waiting.pop(asked.shape))
            yield from _done(open_films, waiting)
        for group in waiting.values():
            self._predict(group)
        yield from _done(open_films, {})

    def _ask(self, film: "_OpenFilm", window: Clip | FilmedClip) -> "_Asked":
        """Returns the batch of a window, which waits for others of its shape."""
        number, clip = len(film.windows), Clip(window.frames, window.wave)
        film.windows.append(None)
        kept = self.kept is None or number < self.kept
        batch = self.task.ask(clip, self.words, self.system.classes)
        if isinstance(window, FilmedClip) and self.motion is not None:
            moving = self.motion(window.pictures.to(next(self.motion.parameters()))).cpu()
            # a batch may be longer than the film, whose last second is repeated then
            short = batch.motion.shape[1] - len(moving)
            batch = batch._replace(motion=torch.cat([moving, moving[-1:].expand(short, -1)])[None])
        return _Asked(film, number, clip if kept else without_content(clip), batch)

    def _predict(self, group: Sequence["_Asked"]) -> None:
        """Runs the model over windows of one shape; where it says what is no number, over each of them alone.

        A window whose own outputs hold NaN ends its film. The others lose nothing but the time.
        """
        try:
            self._predict_together(group)
        except NotANumberError as error:
            if len(group) == 1:
                group[0].film.error = error
                return
            for asked in group:
                self._predict([asked])

    def _predict_together(self, group: Sequence["_Asked"]) -> None:
        """Runs the model once over windows of one shape, and puts the predictions where they belong."""
        like = next(self.system.parameters(), torch.empty(0))
        batch = _joined([asked.batch for asked in group])
        # floating numbers in the system's dtype: it may have been trained in double precision
        batch = type(batch)(*(each.to(like if each.is_floating_point() else like.device) for each in batch))
        with torch.inference_mode():
            inputs = self.system.inputs
            if isinstance(inputs, Features):
                batch = extract_features(batch, inputs)
            predicted = checked_prediction(self.system, self.system(batch), batch, "predict", verdict=UNSURE)
            prediction = type(predicted)(*(field.cpu() for field in predicted))
        counts = [len(asked.batch[0]) for asked in group]
        for asked, own in zip(group, split_items(prediction, counts), strict=True):
            asked.film.windows[asked.number] = Window(asked.clip, own)


class _OpenFilm:
    """A film that is being read: its windows so far, `None` where the model has not seen one yet, and what ended it."""

    def __init__(self) -> None:
        self.windows: list[Window | None] = []
        self.ended = False
        self.error: Exception | None = None


class _Asked(NamedTuple):
    """A window on its way to the model."""

    film: _OpenFilm
    number: int
    clip: Clip
    batch: Any

    @property
    def shape(self) -> tuple[Any, ...]:
        """Returns what windows must share to share a batch."""
        return type(self.batch), *(field.shape[1:] for field in self.batch)


def _done(
    open_films: dict[Path, _OpenFilm], waiting: dict[Any, list[_Asked]]
) -> Iterator[tuple[Path, list[Window] | Exception]]:
    """Yields the films of which every window is predicted, and those that have failed; takes them out."""
    for film, state in list(open_films.items()):
        windows = [window for window in state.windows if window is not None]
        if state.error is not None:
            del open_films[film]
            _forget(state, waiting)
            yield film, state.error
        elif state.ended and len(windows) == len(state.windows):
            del open_films[film]
            yield film, windows


def _forget(film: _OpenFilm, waiting: dict[Any, list[_Asked]]) -> None:
    """Drops the windows of a film that has failed."""
    for shape, group in list(waiting.items()):
        group[:] = [asked for asked in group if asked.film is not film]
        if not group:
            del waiting[shape]


def _joined(batches: Sequence[Any]) -> Any:
    """Returns one batch of the items of several."""
    return batches[0] if len(batches) == 1 else type(batches[0])(*map(torch.cat, zip(*batches, strict=True)))


def split_items(prediction: Any, counts: Sequence[int]) -> list[Any]:
    """Returns the predictions of several windows that shared a batch.

    Args:
        prediction: NamedTuple of tensors whose first axis is the item.
        counts: Items of every window.

    Raises:
        ValueError: If a field has another number of items.
    """
    if len(counts) == 1:
        return [prediction]
    for name, values in zip(prediction._fields, prediction, strict=True):
        if len(values) != sum(counts):
            raise ValueError(
                f"predict: field {name!r} of {type(prediction).__name__} holds {len(values)} items of a batch of "
                f"{sum(counts)}, so windows cannot share batches: leave --batch_size at 1."
            )
    return [
        type(prediction)(*parts) for parts in zip(*(field.split(list(counts)) for field in prediction), strict=True)
    ]


def without_content(clip: Clip) -> Clip:
    """Returns zeros of a clip's shape that take no memory: of a window that is not drawn, its length is read alone."""
    return Clip(*(part.new_zeros(()).expand(part.shape) for part in clip))
