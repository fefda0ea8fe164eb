"""Where the answer of a clip of the built-in world lies: at a place, in a channel, in a band, or in a second.

A cue from the other modality says which place, channel, band or second counts; neither modality alone tells the answer,
and the mean over what the cue chooses from is the same for every answer.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from .captions import pair_name
from .scene import (
    COLOURS,
    MOTIONS,
    SEGMENTS,
    SHAPES,
    TEXTURES,
    Difficulty,
    Objects,
    Sounds,
    draw_scene,
    named_colour,
    sounding,
)
from .sound import TONES

Answers = Int64[np.ndarray, " segment"]
SHOWING = (1, 3, 5, 7)
"""Seconds in which an object is shown where the answer lies in a second; the one before may be marked by a sound."""
KINDS = 4
"""Colours and textures that answer where the answer lies in a channel."""
MARK = TEXTURES.index("checker")
"""Texture whose timbre, a bell, marks a second."""
ASKS = (TEXTURES.index("plain"), TEXTURES.index("rows"))
"""Textures whose timbres, a hum and a whistle, ask for the colour and for the texture of an object."""
BANDS = 2


class Answer(NamedTuple):
    """One rule of the world.

    Attributes:
        draw: Draws objects and sounds of a clip.
        labels: Per-segment answer of such a clip; the number of classes is background.
        classes: Names of the answers under a difficulty.
    """

    draw: Callable[[np.random.Generator, Difficulty], tuple[Objects, Sounds]]
    labels: Callable[[Objects, Sounds, Difficulty], Answers]
    classes: Callable[[Difficulty], tuple[str, ...]]


def colours(difficulty: Difficulty) -> tuple[str, ...]:
    """Returns the names of the colours."""
    return COLOURS[: difficulty.colours]


def named_pair(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> Answers:
    """Returns texture and colour of the object that the sound names, as one number; background where there is none."""
    found = sounding(objects, sounds)
    texture = np.take_along_axis(objects.texture, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    pair = texture * difficulty.colours + objects.colour[found.argmax(axis=1)]
    return np.where(found.any(axis=1), pair, difficulty.textures * difficulty.colours)


def pairs(difficulty: Difficulty) -> tuple[str, ...]:
    """Returns the names of all pairs of a texture and a colour: those of one texture lie together."""
    return tuple(
        pair_name(texture, colour) for texture in range(difficulty.textures) for colour in range(difficulty.colours)
    )


def draw_seconds(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws four objects of different colours, each shown in a second of its own, and a bell before one of them."""
    count = len(SHOWING)
    shown = np.full((SEGMENTS, count), False)
    shown[SHOWING, range(count)] = True
    objects = still_objects(rng, textures=unmarked(rng, count), colours=rng.permutation(difficulty.colours)[:count])
    objects = objects._replace(radius=np.where(shown, objects.radius, -1).astype(np.float32))
    return objects, sound_in(rng, MARK, (int(rng.choice(SHOWING)) - 1,))


def colour_after_mark(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> Answers:
    """Returns the colour that is shown in the second after the bell."""
    second = int(sounds.loudness[:, 0].argmax()) + 1
    return whole_clip(objects.colour[objects.radius[second].argmax()])


def draw_kinds(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws one object of four colours and four textures, and a sound that asks for the one or for the other."""
    objects = still_objects(rng, textures=rng.integers(0, KINDS, 1), colours=rng.integers(0, KINDS, 1))
    return objects, sound_in(rng, int(rng.choice(ASKS)), range(SEGMENTS))


def kind_asked_for(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> Answers:
    """Returns the colour or the texture of the object, as the sound asks."""
    return whole_clip(objects.colour[0] if sounds.texture[0] == ASKS[0] else objects.texture[0, 0])


def kinds(difficulty: Difficulty) -> tuple[str, ...]:
    """Returns names that hold both a colour and a texture."""
    return tuple(f"{colour} or {texture}" for colour, texture in zip(COLOURS[:KINDS], TEXTURES[:KINDS], strict=True))


def draw_bands(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws a steady tone in one band, a pulsed one in the other, and an object whose colour names a band."""
    objects = still_objects(rng, textures=rng.integers(0, len(TEXTURES), 1), colours=rng.integers(0, BANDS, 1))
    steady = int(rng.integers(0, BANDS))
    heard = np.array([TONES[band, int(band != steady)] for band in range(BANDS)])
    loudness = np.repeat(10 ** (rng.uniform(-6, 0, (1, BANDS)) / 20), SEGMENTS, axis=0)
    return objects, Sounds(heard, loudness.astype(np.float32), np.zeros(BANDS, np.float32))


def pulsed_in_band(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> Answers:
    """Returns 1 where the tone in the band that the colour names is pulsed."""
    band = int(objects.colour[0])
    return whole_clip(int(sounds.texture[band] == TONES[band, 1]))


def still_objects(
    rng: np.random.Generator, *, textures: Int64[np.ndarray, " object"], colours: Int64[np.ndarray, " object"]
) -> Objects:
    """Draws objects that neither move nor change."""
    count = len(colours)
    cell = rng.choice(9, count, replace=False)
    centre = np.stack([cell // 3, cell % 3], axis=-1) * 20 + 12 + rng.uniform(-2, 2, (count, 2))
    return Objects(
        np.tile(textures, (SEGMENTS, 1)),
        colours,
        np.asarray(rng.integers(0, len(SHAPES), count)),
        np.asarray(rng.integers(0, len(MOTIONS), count)),
        np.tile(centre, (SEGMENTS, 1, 1)).astype(np.float32),
        np.tile(rng.uniform(8, 10, count), (SEGMENTS, 1)).astype(np.float32),
    )


def unmarked(rng: np.random.Generator, count: int) -> Int64[np.ndarray, " object"]:
    """Draws textures other than the one that the bell would name."""
    return rng.permutation(np.delete(np.arange(len(TEXTURES)), MARK))[:count]


def sound_in(rng: np.random.Generator, texture: int, seconds: range | tuple[int, ...]) -> Sounds:
    """Draws one sound that is heard in some seconds."""
    loudness = np.zeros((SEGMENTS, 1), np.float32)
    loudness[list(seconds), 0] = 10 ** (rng.uniform(-6, 0) / 20)
    return Sounds(np.array([texture]), loudness, np.full(1, min(seconds), np.float32))


def whole_clip(label: int) -> Answers:
    """Returns one label for every segment."""
    return np.full(SEGMENTS, int(label))


ANSWERS: Mapping[str, Answer] = {
    "place": Answer(draw_scene, named_colour, colours),
    "pair": Answer(draw_scene, named_pair, pairs),
    "channel": Answer(draw_kinds, kind_asked_for, kinds),
    "band": Answer(draw_bands, pulsed_in_band, lambda difficulty: ("steady", "pulsed")),
    "second": Answer(draw_seconds, colour_after_mark, colours),
}
"""Rule by where the answer lies; `"place"` is the world that every recipe trains on by default."""
