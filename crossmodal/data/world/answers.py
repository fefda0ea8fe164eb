"""Where the answer of a clip of the built-in world lies: at a place, in a channel, in a band, or in a second.

A cue from the other modality says which place, channel, band or second counts; neither modality alone tells the answer,
and the mean over what the cue chooses from is the same for every answer. Where it lies in a channel, a
clip has one answer; elsewhere every second has its own.
"""

from collections.abc import Callable, Mapping, Sequence
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

SegmentAnswers = Int64[np.ndarray, " segment"]
KINDS = 4
"""Colours and textures that answer where the answer lies in a channel."""
MARK = TEXTURES.index("checker")
"""Texture whose timbre, a bell, marks the second that follows."""
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
    labels: Callable[[Objects, Sounds, Difficulty], SegmentAnswers]
    classes: Callable[[Difficulty], tuple[str, ...]]


def colours(difficulty: Difficulty) -> tuple[str, ...]:
    """Returns the names of the colours."""
    return COLOURS[: difficulty.colours]


def named_pair(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> SegmentAnswers:
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
    """Draws one object, shown all the time, and a bell that rings in every second by chance."""
    objects = still_objects(rng, textures=unmarked(rng, 1), colours=rng.integers(0, difficulty.colours, 1))
    rings = np.flatnonzero(rng.random(SEGMENTS) < 0.5)
    return objects, sound_in(rng, MARK, rings)


def colour_after_mark(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> SegmentAnswers:
    """Returns the colour of the object in every second that follows one with the bell, background in the others."""
    follows = np.concatenate([[False], sounds.loudness[:-1, 0] > 0])
    return np.where(follows, objects.colour[0], difficulty.colours)


def draw_kinds(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws one object of four colours and four textures, and a sound that asks for the one or for the other."""
    objects = still_objects(rng, textures=rng.integers(0, KINDS, 1), colours=rng.integers(0, KINDS, 1))
    return objects, sound_in(rng, int(rng.choice(ASKS)), range(SEGMENTS))


def kind_asked_for(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> SegmentAnswers:
    """Returns the colour or the texture of the object, as the sound asks."""
    return whole_clip(objects.colour[0] if sounds.texture[0] == ASKS[0] else objects.texture[0, 0])


def kinds(difficulty: Difficulty) -> tuple[str, ...]:
    """Returns names that hold both a colour and a texture."""
    return tuple(f"{colour} or {texture}" for colour, texture in zip(COLOURS[:KINDS], TEXTURES[:KINDS], strict=True))


def draw_bands(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws two tones in every second, one band's steady and the other's pulsed, and an object that names a band."""
    objects = still_objects(rng, textures=rng.integers(0, len(TEXTURES), 1), colours=rng.integers(0, BANDS, 1))
    pulsed = rng.integers(0, BANDS, SEGMENTS)[:, None] == np.arange(BANDS)
    level = 10 ** (rng.uniform(-6, 0, (1, BANDS)) / 20)
    # sources in the order of `TONES`: steady and pulsed of the lower band, then of the upper one
    loudness = np.stack([level * ~pulsed, level * pulsed], axis=-1).reshape(SEGMENTS, -1)
    return objects, Sounds(TONES.ravel(), loudness.astype(np.float32), np.zeros(2 * BANDS, np.float32))


def pulsed_in_band(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> SegmentAnswers:
    """Returns the band that the colour names in every second in which its tone is pulsed, background in the others."""
    band = int(objects.colour[0])
    return np.where(sounds.loudness[:, sounds.texture == TONES[band, 1]].any(axis=1), band, BANDS)


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


def sound_in(rng: np.random.Generator, texture: int, seconds: Sequence[int] | Int64[np.ndarray, " second"]) -> Sounds:
    """Draws one sound that is heard in some seconds."""
    loudness = np.zeros((SEGMENTS, 1), np.float32)
    loudness[list(seconds), 0] = 10 ** (rng.uniform(-6, 0) / 20)
    return Sounds(np.array([texture]), loudness, np.zeros(1, np.float32))


def whole_clip(label: int) -> SegmentAnswers:
    """Returns one label for every segment."""
    return np.full(SEGMENTS, int(label))


ANSWERS: Mapping[str, Answer] = {
    "place": Answer(draw_scene, named_colour, colours),
    "pair": Answer(draw_scene, named_pair, pairs),
    "channel": Answer(draw_kinds, kind_asked_for, kinds),
    "band": Answer(draw_bands, pulsed_in_band, lambda difficulty: ("lower band", "upper band")),
    "second": Answer(draw_seconds, colour_after_mark, colours),
}
"""Rule by where the answer lies; `"place"` is the world that every recipe trains on by default."""
