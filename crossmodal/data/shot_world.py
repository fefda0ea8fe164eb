"""Sources of the tasks on class names in the built-in world, whose classes are pairs of a colour and a texture."""

from functools import cache, partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from .shots import Shots, first_of_each, localised, shots_in_words
from .source import Source
from .world import TINY, World
from .world.answers import named_pair
from .world.captions import BACKGROUND, held_out_pairs

MANY = 1_000_000
"""Clips among which those about some pairs are looked for."""
HELD_OUT = held_out_pairs()
"""Names of the pairs that tiny CLIP and tiny CLAP were not trained on."""
SEEN = tuple(name for name in World(clips=1, answer="pair").classes if name not in HELD_OUT)
"""Names of the other pairs."""


def pair_named_in(world: World, index: int) -> int:
    """Returns the number of the pair of texture and colour that a clip of the world of pairs is about."""
    return int(named_pair(*world.scene(index), world.difficulty).min())


@cache
def clips_about(pairs: tuple[int, ...], split: str, seed: int, count: int, shots: int) -> tuple[int, ...]:
    """Returns clips of the world of pairs that are about some pairs.

    Args:
        pairs: Numbers of the pairs.
        split: Name of the split.
        seed: Seed of the world.
        count: Clips to return where `shots` is 0.
        shots: Clips of every pair, the first ones.
    """
    world = World(split, clips=MANY, seed=seed, answer="pair")
    # scenes are drawn one by one, none is rendered, and only until there are enough
    about = (pair_named_in(world, index) for index in range(MANY))
    if shots:
        return tuple(first_of_each(about, shots, pairs))
    return tuple(islice((index for index, pair in enumerate(about) if pair in pairs), count))


class PairWorldSource(Source):
    """Base of sources of the built-in world whose classes are pairs of a colour and a texture, events by second.

    Attributes:
        pairs: Names of the pairs that are classes.
        shots: Training clips of every class; 0 for `clips` of all classes together.
        clips: Training clips where `shots` is 0.
        background: Names of classes behind the pairs.
    """

    shots, clips = 0, 800
    pairs: tuple[str, ...] = HELD_OUT
    background: tuple[str, ...] = (BACKGROUND,)

    def __init__(self, *, batch_size: int, workers: int, held_out: int, seed: int, validation: str):
        """Keeps what all of them share.

        Args:
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.held_out = held_out

    def split(self, name: str) -> Shots:
        """Returns the clips of one split."""
        every = World(name, clips=1, answer="pair").classes
        numbers = tuple(map(every.index, self.pairs))
        train = name == "train"
        chosen = clips_about(numbers, name, self.seed, self.clips if train else self.held_out, self.shots * train)
        world = World(name, clips=max(chosen) + 1, seed=self.seed, answer="pair", preprocess=self.preprocess or TINY)
        return Shots(world, partial(pair_target, numbers=numbers), (*self.pairs, *self.background), chosen=chosen)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        trained = shots_in_words(self.shots) if self.shots else f"{self.clips} training clips"
        return f"the built-in world of pairs (seed {self.seed}, {trained}): procedural clips, no real data"


def pair_target(item: Any, numbers: tuple[int, ...]) -> Tensor:
    """Returns the target of every second of a clip of the world of pairs: its pair among some, background behind them.

    Args:
        item: The clip.
        numbers: Numbers of the pairs.
    """
    places = (item.labels[:, None] == torch.tensor(numbers)).int()
    return localised(torch.where(places.any(1), places.argmax(1), len(numbers)), len(numbers) + 1)


class ShotWorldSource(PairWorldSource):
    """Few clips of the pairs that tiny CLIP and tiny CLAP were not trained on, events by second."""

    def __init__(
        self,
        *,
        shots: int = 16,
        batch_size: int = 2,
        workers: int = 0,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
    ):
        """Draws a world.

        Args:
            shots: Training clips of every class, the first ones.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.

        Raises:
            ValueError: If `shots` is less than 1.
        """
        super().__init__(batch_size=batch_size, workers=workers, held_out=held_out, seed=seed, validation=validation)
        if shots < 1:
            raise ValueError(f"ShotWorldSource: shots={shots} must be at least 1.")
        self.shots = shots


class UnseenWorldSource(PairWorldSource):
    """The pairs that tiny CLIP and tiny CLAP were not trained on, by their names alone, without background.

    A second of background is always wrong, as in the released zero-shot evaluation of AVE.
    """

    background = ()
    clips = 8

    def __init__(
        self,
        *,
        batch_size: int = 8,
        workers: int = 0,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
    ):
        """Draws a world.

        Args:
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world.
            validation: Not used: nothing is selected.
        """
        super().__init__(batch_size=batch_size, workers=workers, held_out=held_out, seed=seed, validation=validation)


class SeenWorldSource(PairWorldSource):
    """All clips of the other pairs, for pre-training, events by second."""

    def __init__(
        self,
        *,
        clips: int = 800,
        batch_size: int = 2,
        workers: int = 0,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
    ):
        """Draws a world.

        Args:
            clips: Training clips.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, held_out=held_out, seed=seed, validation=validation)
        self.clips = clips
        self.pairs = SEEN
