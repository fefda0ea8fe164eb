"""A training step on questions of which five at a time are about one clip: the encoders for every question, or once."""

from collections.abc import Callable, Mapping

import torch
from torch.utils.data import default_collate

from crossmodal.data.world.asking import AskedWorld
from crossmodal.injection import fast_linears
from crossmodal.tasks.resolve import find_system

from ..measuring import in_turns
from ..results import Found
from ..setting import Setting
from ..tables import markdown, ratio, spread

CLIPS, QUESTIONS = 2, 5
"""Clips of a batch, and questions about each: as many as MUSIC-AVQA asks, about."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One: at full size a batch of ten clips does not fit into the memory of most machines, so it is the tiny model."""
    return {f"tiny `dg_sct`, {CLIPS} clips, {QUESTIONS} questions each": lambda: measured(setting)}


def measured(setting: Setting) -> Found:
    """Seconds of a step without its optimiser, in turns."""
    torch.manual_seed(0)
    world = AskedWorld("train", clips=CLIPS, questions_per_clip=QUESTIONS)
    batch = default_collate([world[index] for index in range(CLIPS * QUESTIONS)])
    batch = type(batch)(*(part.to(setting.device) for part in batch))
    system = fast_linears(find_system("dg_sct", "avqa")().train().to(setting.device))

    def step(share: bool) -> Callable[[], None]:
        def run() -> None:
            system.share_clips = share
            system.zero_grad()
            sum(system.loss(system(batch), batch).values(), torch.zeros(())).backward()

        return run

    ways = {"every question": step(False), "every clip": step(True)}
    return {"seconds": in_turns(ways, rounds=max(5, setting.rounds), device=setting.device)}


def table(found: Mapping[str, Found]) -> str:
    """A row a batch."""
    head = ["a training step of AVQA", "encoders run for every question", "for every clip", "clip / question"]
    rows = [
        [name, *map(spread, (seconds["every question"], seconds["every clip"])), f"{quotient:.2f}"]
        for name, of in found.items()
        for seconds in [of["seconds"]]
        for quotient in [ratio(seconds["every clip"], seconds["every question"])]
    ]
    return markdown(head, rows)
