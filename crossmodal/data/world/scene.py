"""Scene of a clip of the built-in world: its objects and sounds, drawn at random before anything is rendered."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

TEXTURES = ("plain", "rows", "columns", "slash", "checker", "dots", "mesh", "speckle")
COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "white")
SHAPES = ("disc", "square", "diamond", "triangle")
MOTIONS = ("orbit", "sway", "hop", "drift")
SEGMENTS = 10
OFFSCREEN = 2  # at most so many sounds come from outside the frame


class Objects(NamedTuple):
    """Objects of a clip; a later object covers an earlier one. Lengths in pixels of a 64-pixel frame.

    The texture is what a sound can name, the colour what it cannot. Both are drawn independently, no two objects of
    a frame share either; a texture may change for a few segments (the object changes its coat), a colour never.
    """

    texture: Int64[np.ndarray, "segment object"]
    colour: Int64[np.ndarray, " object"]
    shape: Int64[np.ndarray, " object"]
    motion: Int64[np.ndarray, " object"]
    centre: Float32[np.ndarray, "segment object 2"]
    """Row and column."""
    radius: Float32[np.ndarray, "segment object"]
    """Negative where the object is not shown."""


class Sounds(NamedTuple):
    """Sounds of a clip, in order of onset. Each has the timbre that belongs to one texture."""

    texture: Int64[np.ndarray, " source"]
    loudness: Float32[np.ndarray, "segment source"]
    """Amplitude in [0, 1]; 0 where the source is silent."""
    onset: Float32[np.ndarray, " source"]
    """Seconds from the start of the clip to the first sound."""


@dataclass(frozen=True)
class Difficulty:
    """Parameters that make the world harder or easier; `World` says what each means.

    Raises:
        ValueError: If one is out of its range, or some contradict each other.
    """

    objects: int = 4
    textures: int = len(TEXTURES)
    colours: int = 6
    clutter: float = 0.3
    answer: str = "place"

    def __post_init__(self) -> None:
        """Checks the parameters."""
        for name, value, most in (("textures", self.textures, len(TEXTURES)), ("colours", self.colours, len(COLOURS))):
            if not 1 <= value <= most:
                raise ValueError(f"World: {name}={value} must lie in 1…{most}: so many {name} exist.")
        if not 3 <= self.objects <= min(6, self.colours):
            raise ValueError(
                f"World: objects={self.objects} must lie in 3…{min(6, self.colours)}: the event needs three to choose "
                f"from, and every object of a frame has a colour of its own (colours={self.colours}, at most 6 fit)."
            )
        if self.textures < self.objects + 2:
            raise ValueError(
                f"World: textures={self.textures} must be at least objects + 2 = {self.objects + 2}: one to change "
                "into and one for a sound from outside the frame. Ask for fewer objects or more textures."
            )
        if not 0 <= self.clutter <= 1:
            raise ValueError(f"World: clutter={self.clutter} must lie in [0, 1].")


def draw_scene(rng: np.random.Generator, difficulty: Difficulty, *, sounding: int = 1) -> tuple[Objects, Sounds]:
    """Draws the objects and sounds of one clip.

    The first objects drawn sound; the others are silent and the sounds beside theirs come from outside the frame. All
    follow activities of one distribution, so that neither the eye can tell a sounding object from those that mime, nor
    the ear a visible sound from the others.

    Args:
        rng: Source of all that is drawn.
        difficulty: How many objects there are, and of which kinds.
        sounding: Objects that sound, as far as there are so many.
    """
    count = int(rng.integers(3, difficulty.objects + 1))
    offscreen = int(rng.integers(0, min(OFFSCREEN, difficulty.textures - difficulty.objects - 1) + 1))
    coats = rng.permutation(difficulty.textures)
    worn, spare, elsewhere = coats[:count], coats[count], coats[count + 1 : count + 1 + offscreen]
    loudness, onset = _draw_activities(rng, count + offscreen)

    texture = np.tile(worn, (SEGMENTS, 1))
    length = int(rng.integers(2, 5))
    start = int(rng.integers(0, SEGMENTS - length + 1))
    texture[start : start + length, rng.integers(count)] = spare
    objects = _draw_objects(rng, texture, loudness[:, :count], difficulty)

    # the first objects alone are heard: the others mime, with activities that have no sound
    heard = np.array([*range(min(sounding, count)), *range(count, count + offscreen)])
    heard = heard[np.argsort(onset[heard])]
    named = np.concatenate([worn, elsewhere])
    return _shuffled(rng, objects), Sounds(named[heard], loudness[:, heard], onset[heard])


def sounding(objects: Objects, sounds: Sounds) -> Bool[np.ndarray, "segment object"]:
    """Returns which objects the sound names: seen and heard at once."""
    named = sounds.texture[:, None] == np.arange(len(TEXTURES))
    audible = ((sounds.loudness[:, :, None] > 0) & named).any(axis=1)
    return np.take_along_axis(audible, objects.texture, axis=1) & (objects.radius > 0)


def named_colour(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> Int64[np.ndarray, " segment"]:
    """Returns the colour of the object that the sound names; background where there is none."""
    found = sounding(objects, sounds)
    return np.where(found.any(axis=1), objects.colour[found.argmax(axis=1)], difficulty.colours)


def _draw_activities(
    rng: np.random.Generator, count: int
) -> tuple[Float32[np.ndarray, "segment source"], Float32[np.ndarray, " source"]]:
    """Draws loudness per segment and first onset: one run of seven to ten segments, sometimes with a gap in it."""
    length = rng.integers(7, SEGMENTS + 1, count)
    start = rng.integers(0, SEGMENTS - length + 1)
    gap = start + rng.integers(2, length - 3)
    pause = np.where(rng.random(count) < 0.3, rng.integers(1, 3, count), 0)
    second = np.arange(SEGMENTS)[:, None]
    active = (second >= start) & (second < start + length) & ~((second >= gap) & (second < gap + pause))
    decibel = rng.uniform(-9, 0, count) + rng.uniform(-2, 0, (SEGMENTS, count))
    loudness = np.where(active, 10 ** (decibel / 20), 0)
    return loudness.astype(np.float32), (start + rng.uniform(0, 0.2, count)).astype(np.float32)


def _draw_objects(
    rng: np.random.Generator,
    texture: Int64[np.ndarray, "segment object"],
    loudness: Float32[np.ndarray, "segment object"],
    difficulty: Difficulty,
) -> Objects:
    count = texture.shape[1]
    cell = rng.choice(9, count, replace=False)
    anchor = np.stack([cell // 3, cell % 3], axis=-1) * 20 + 12 + rng.uniform(-2, 2, (count, 2))
    motion = np.asarray(rng.integers(0, len(MOTIONS), count))
    centre = anchor + _draw_paths(rng, motion)
    radius = rng.uniform(8, 10, count) * (0.95 + 0.1 * loudness)
    return Objects(
        texture,
        rng.permutation(difficulty.colours)[:count],
        np.asarray(rng.integers(0, len(SHAPES), count)),
        motion,
        centre.astype(np.float32),
        radius.astype(np.float32),
    )


def _draw_paths(
    rng: np.random.Generator, motion: Int64[np.ndarray, " object"]
) -> Float32[np.ndarray, "segment object 2"]:
    """Draws the path from the anchor: a circle, a swing along the row, hops along the column, or a straight line."""
    count = len(motion)
    reach, phase = rng.uniform(2, 4, count), rng.uniform(0, 2 * np.pi, count)
    angle = phase + rng.uniform(0.5, 1.5, count) * np.arange(SEGMENTS)[:, None]
    line = np.linspace(-1, 1, SEGMENTS)[:, None]
    rows = np.stack([np.sin(angle), 0 * angle, -np.abs(np.sin(angle)), line * np.sin(phase)])
    columns = np.stack([np.cos(angle), np.sin(angle), 0 * angle, line * np.cos(phase)])
    paths = np.stack([rows, columns], axis=-1)[motion, :, np.arange(count)]
    return (paths * reach[:, None, None]).swapaxes(0, 1)


def _shuffled(rng: np.random.Generator, objects: Objects) -> Objects:
    """Returns the same objects in another order: the first must not always be the one that sounds."""
    order = rng.permutation(len(objects.colour))
    return Objects(*(value[:, order] if value.ndim > 1 else value[order] for value in objects))
