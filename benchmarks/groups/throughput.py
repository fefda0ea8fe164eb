"""Clips a second of training, prediction and features, with reading, and the share of the time that the model waits."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from crossmodal.data.source import WorldSource
from crossmodal.data.waiting_time import WaitingTime
from crossmodal.injection import fast_linears
from crossmodal.tasks.event_system import AudioVisualEvents

from ..measuring import settle
from ..results import Found
from ..setting import Setting
from ..tables import markdown

USES = ("fit", "predict", "features")
WORKERS = (0, 1, 2)
AHEAD = 1
"""Batches that a worker reads ahead, so that few steps use up what was read before the clock starts."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a size, use, clips in a batch and number of workers; at full size the tiny one is measured beside it."""
    return {
        f"{at.size}, {use}, {size} clips, {workers} workers": partial(measured, at, use, size, workers)
        for at in (setting._replace(size=name) for name in dict.fromkeys(("tiny", setting.size)))
        for use in USES
        for size in batches_of(at)
        for workers in WORKERS
    }


def batches_of(setting: Setting) -> tuple[int, ...]:
    """Returns the clips of a batch that are tried: at full size on a processor one, for a step takes seconds."""
    return (1, 4, 16) if setting.size == "tiny" or setting.device != "cpu" else (1,)


def measured(setting: Setting, use: str, size: int, workers: int) -> Found:
    """Clips a second over as many batches as `setting.rounds`, and the share of it that the model waits for them.

    What workers read ahead while the first step warms up is used up before the clock starts, and as much is left for
    them to read when it stops: the clock sees as many batches read as used.
    """
    model = fast_linears(setting.model())
    ahead = AHEAD * workers
    source = WorldSource(clips=size * (1 + ahead + setting.rounds + ahead), held_out=1, batch_size=size)
    source.preprocess = model.preprocess
    loader = DataLoader(
        source.split("train"), batch_size=size, num_workers=workers, prefetch_factor=AHEAD if workers else None
    )
    run = {"fit": trained, "predict": predicted, "features": encoded}[use]
    batches = iter(loader)
    for batch in islice(batches, 1 + ahead):
        run(model, moved(batch, setting.device))
    settle(setting.device)
    waiting = WaitingTime()
    for batch in waiting.over(islice(batches, setting.rounds)):
        run(model, moved(batch, setting.device))
        settle(setting.device)
    return {"clips": size * setting.rounds / (waiting.waited + waiting.worked), "waiting": waiting.share}


def moved(batch: Any, device: str) -> Any:
    """The same batch on the device."""
    return type(batch)(*(part.to(device) for part in batch))


def trained(model: AudioVisualEvents, batch: Any) -> None:
    """A training step without its optimiser."""
    model.train().zero_grad()
    sum(model.loss(model(batch), batch).values()).backward()


def predicted(model: AudioVisualEvents, batch: Any) -> None:
    """A forward without gradients."""
    with torch.inference_mode():
        model.eval()(batch)


def encoded(model: AudioVisualEvents, batch: Any) -> None:
    """Both frozen encoders alone, without gradients."""
    with torch.inference_mode():
        inputs = {"visual": batch.frames.flatten(0, 1), "audio": model.sound(batch.wave.flatten(0, 1))}
        for name, given in inputs.items():
            encoder: nn.Module = model.coupled.encoder(name)
            encoder(given)


def table(found: Mapping[str, Found]) -> str:
    """A row a use, batch and number of workers."""
    rows = [[name, f"{of['clips']:.3g}", f"{of['waiting']:.0%}"] for name, of in found.items()]
    return markdown(["", "clips a second", "of it, waiting for clips"], rows)
