"""How a system is trained where nothing else is said: values of options, as a recipe file publishes them."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from crossmodal.injection import Encoder

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Settings(NamedTuple):
    """Values of options of `crossmodal TASK fit`; what is given on the command line wins over them.

    Attributes:
        optim: Keywords of `SystemTraining`.
        trainer: Keywords of Lightning's `Trainer`.
        data: Keywords of the data source.
        model: Keywords of the system.
        encoders: What is done to each encoder of the built model; `None` leaves it as the recipe froze it.
        callbacks: More callbacks for the trainer, each a partial that makes it.
        seed: Seed of weights, shuffling and dropout.
    """

    optim: Mapping[str, Any] = NOTHING
    trainer: Mapping[str, Any] = NOTHING
    data: Mapping[str, Any] = NOTHING
    model: Mapping[str, Any] = NOTHING
    encoders: Callable[[Encoder], Any] | None = None
    callbacks: tuple[partial[Any], ...] = ()
    seed: int = 0

    def options(self) -> dict[str, Any]:
        """Returns the same values by the names of the options, `optim.lr`."""
        found: dict[str, Any] = {"encoders": self.encoders, "seed": self.seed}
        for group in ("data", "optim", "trainer", "model"):
            found |= {f"{group}.{name}": value for name, value in getattr(self, group).items()}
        if self.callbacks:
            found["trainer.callbacks"] = [
                # as jsonargparse writes objects, so that config.yaml can hold them
                {"class_path": f"{made.func.__module__}.{made.func.__qualname__}", "init_args": made.keywords}
                for made in self.callbacks
            ]
        return found
