"""How a model of events is trained where nothing else is said: numbers and parts, by whom they are given to."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import pytorch_lightning as pl

from crossmodal.injection import Encoder

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Training(NamedTuple):
    """Values of options of `crossmodal ave fit`; whatever is said there wins over them.

    - `encoders`: what is done to each encoder of the built model; `None` leaves it as the recipe froze it.
    - `data`: keywords of `EventData`. `optim`: of `EventTraining`. `trainer`: of Lightning's `Trainer`.
    - `callbacks`: more for the trainer, each to be made anew.
    - `seed`: of weights, shuffling and dropout.
    """

    encoders: Callable[[Encoder], Any] | None = None
    data: Mapping[str, Any] = NOTHING
    optim: Mapping[str, Any] = NOTHING
    trainer: Mapping[str, Any] = NOTHING
    callbacks: tuple[partial[pl.Callback], ...] = ()
    seed: int = 0

    def options(self) -> dict[str, Any]:
        """The same by the names of the options."""
        found: dict[str, Any] = {"encoders": self.encoders, "seed": self.seed}
        for group in ("data", "optim", "trainer"):
            found |= {f"{group}.{name}": value for name, value in getattr(self, group).items()}
        if self.callbacks:
            found["trainer.callbacks"] = [
                {"class_path": f"{made.func.__module__}.{made.func.__qualname__}", "init_args": made.keywords}
                for made in self.callbacks
            ]
        return found


def careful_training() -> Training:
    """Nothing beyond the schedule of the size: frozen encoders rest, every batch counts, selection on validation."""
    return Training()
