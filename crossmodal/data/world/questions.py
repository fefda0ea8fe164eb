"""Questions that the built-in world can ask about a clip, and their true answers.

Every template stands for one of the nine kinds of questions of MUSIC-AVQA: about sound, sight or both; existence,
count, location, comparison and order. A rule returns the answer in words, or `None` where a clip has no clear one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from ...metrics.answers import QUESTION_KINDS
from ..questions import PAD, question_words
from ..vocabulary import Vocabulary
from .scene import COLOURS, Objects, Sounds, sounding

TIMBRE_NAMES = ("hum", "whistle", "hiss", "knock", "bell", "siren", "buzz", "crackle")
"""Names of the sounds, in the order of the textures that they belong to."""
ASKED_COLOURS = COLOURS[:6]
NUMBERS = ("zero", "one", "two", "three", "four")
PLACES = ("left", "middle", "right")
LOUDER = 1.4
"""Ratio of two loudnesses above which one sound is called louder."""
COLUMN = 20.0
"""Pixels between the columns of the world's places; the first one lies at 12."""


class Scene(NamedTuple):
    """Objects and sounds of a clip."""

    objects: Objects
    sounds: Sounds


QuestionRule = Callable[[Scene, Sequence[str]], str | None]


class Template(NamedTuple):
    """A question with placeholders.

    Attributes:
        kind: Index in `QUESTION_KINDS`.
        text: The question; every word in angle brackets is a placeholder.
        values: All that the placeholders may stand for.
        answers: All that may be right; drawn equally often for every question.
        rule: Returns the right answer.
        worn: Whether the values are colours that objects of the clip have: these are given to some of its objects.
    """

    kind: int
    text: str
    values: tuple[tuple[str, ...], ...]
    answers: tuple[str, ...]
    rule: QuestionRule
    worn: bool = False


class Question(NamedTuple):
    """A template with values in its placeholders, and the answer that a clip is drawn for."""

    template: Template
    values: tuple[str, ...]
    answer: str

    @property
    def words(self) -> tuple[str, ...]:
        """Returns the words of the question."""
        return question_words(self.template.text, self.values)


def has_answer(scene: Scene, question: Question) -> bool:
    """Returns whether a clip has the answer that a question is asked for."""
    return question.template.rule(scene, question.values) == question.answer


def heard_names(scene: Scene) -> list[str]:
    """Returns the names of the sounds of a clip."""
    return [TIMBRE_NAMES[texture] for texture in scene.sounds.texture]


def loudness_of(scene: Scene, timbre: str) -> float | None:
    """Returns the mean loudness of a sound while it is heard; `None` where it is not."""
    if timbre not in heard_names(scene):
        return None
    levels = scene.sounds.loudness[:, heard_names(scene).index(timbre)]
    return float(levels[levels > 0].mean())


def sounding_objects(scene: Scene) -> list[int]:
    """Returns the objects that sound in some second, in the order in which they begin to be heard."""
    found = sounding(scene.objects, scene.sounds)
    return sorted(np.flatnonzero(found.any(0)).tolist(), key=lambda at: int(found[:, at].argmax()))


def place_of(scene: Scene, at: int) -> str:
    """Returns whether an object is on the left, in the middle or on the right."""
    column = float(scene.objects.centre[:, at, 1].mean())
    return PLACES[int(np.clip(round((column - 12) / COLUMN), 0, 2))]


def colour_of(scene: Scene, at: int) -> str:
    """Returns the colour of an object."""
    return COLOURS[int(scene.objects.colour[at])]


def coloured(scene: Scene, colour: str) -> int | None:
    """Returns the object of a colour; `None` where there is none."""
    found = np.flatnonzero(scene.objects.colour == COLOURS.index(colour))
    return int(found[0]) if len(found) else None


def wearing(rng: np.random.Generator, objects: Objects, colours: Sequence[str]) -> Objects:
    """Returns objects of which some, drawn at random, have these colours; who had one takes the colour given up."""
    colour = objects.colour.copy()
    for name, at in zip(colours, rng.permutation(len(colour)), strict=False):
        wanted = COLOURS.index(name)
        colour[colour == wanted] = colour[at]
        colour[at] = wanted
    return objects._replace(colour=colour)


def yes_or_no(holds: bool) -> str:
    """Returns the answer in words."""
    return "yes" if holds else "no"


def is_louder(one: float | None, other: float | None) -> str | None:
    """Returns whether one sound is clearly louder than another; `None` where both are alike or one is silent."""
    if one is None or other is None or 1 / LOUDER < one / other < LOUDER:
        return None
    return yes_or_no(one > other)


def object_loudness(scene: Scene, colour: str) -> float | None:
    """Returns the loudness of the object of a colour; `None` where it is silent, or there is none."""
    at = coloured(scene, colour)
    if at is None or at not in sounding_objects(scene):
        return None
    levels = (loudness_of(scene, TIMBRE_NAMES[texture]) for texture in set(scene.objects.texture[:, at]))
    return max((level for level in levels if level is not None), default=None)


def from_the_frame(scene: Scene, timbre: str) -> str | None:
    """Returns whether a sound that is heard belongs to an object that is seen."""
    if timbre not in heard_names(scene):
        return None
    texture = TIMBRE_NAMES.index(timbre)
    return yes_or_no(bool((sounding(scene.objects, scene.sounds) & (scene.objects.texture == texture)).any()))


def of_the_only_one(scene: Scene, say: Callable[[Scene, int], str]) -> str | None:
    """Returns what is said of the only sounding object; `None` where none sounds, or several."""
    found = sounding_objects(scene)
    return say(scene, found[0]) if len(found) == 1 else None


def first_in_order(scene: Scene, which: str) -> str | None:
    """Returns the colour of the object that sounds first or last; `None` where two begin in the same second."""
    found = sounding_objects(scene)
    begins = sounding(scene.objects, scene.sounds).argmax(0)[found]
    if len(found) < 2 or len(set(begins.tolist())) < len(found):
        return None
    return colour_of(scene, found[0 if which == "first" else -1])


def _kind(modality: str, asked: str) -> int:
    return QUESTION_KINDS.index((modality, asked))


def _number(count: int) -> str | None:
    return NUMBERS[count] if count < len(NUMBERS) else None


YES_NO = ("yes", "no")
ONE_TIMBRE = tuple((name,) for name in TIMBRE_NAMES)
ONE_COLOUR = tuple((name,) for name in ASKED_COLOURS)
TWO_COLOURS, TWO_TIMBRES = (tuple(permutations(names, 2)) for names in (ASKED_COLOURS, TIMBRE_NAMES))
NO_VALUE: tuple[tuple[str, ...], ...] = ((),)

TEMPLATES = (
    Template(
        _kind("Audio", "Counting"),
        "How many sounds are heard?",
        NO_VALUE,
        NUMBERS[1:5],
        lambda scene, _: _number(len(scene.sounds.texture)),
    ),
    Template(
        _kind("Audio", "Counting"),
        "Is there a <Sound> sound?",
        ONE_TIMBRE,
        YES_NO,
        lambda scene, values: yes_or_no(values[0] in heard_names(scene)),
    ),
    Template(
        _kind("Audio", "Comparative"),
        "Is the <Sound> louder than the <Sound>?",
        TWO_TIMBRES,
        YES_NO,
        lambda scene, values: is_louder(*(loudness_of(scene, name) for name in values)),
    ),
    Template(
        _kind("Visual", "Counting"),
        "How many objects are in the video?",
        NO_VALUE,
        NUMBERS[3:5],
        lambda scene, _: _number(len(scene.objects.colour)),
    ),
    Template(
        _kind("Visual", "Counting"),
        "Is there a <Colour> object in the video?",
        ONE_COLOUR,
        YES_NO,
        lambda scene, values: yes_or_no(coloured(scene, values[0]) is not None),
    ),
    Template(
        _kind("Visual", "Location"),
        "Where is the <Colour> object?",
        ONE_COLOUR,
        PLACES,
        lambda scene, values: None if (at := coloured(scene, values[0])) is None else place_of(scene, at),
        worn=True,
    ),
    Template(
        _kind("Audio-Visual", "Existential"),
        "Is the <Sound> from an object in the video?",
        ONE_TIMBRE,
        YES_NO,
        lambda scene, values: from_the_frame(scene, values[0]),
    ),
    Template(
        _kind("Audio-Visual", "Counting"),
        "How many sounding objects are in the video?",
        NO_VALUE,
        NUMBERS[1:4],
        lambda scene, _: _number(len(sounding_objects(scene))),
    ),
    Template(
        _kind("Audio-Visual", "Location"),
        "Where is the sounding object?",
        NO_VALUE,
        PLACES,
        lambda scene, _: of_the_only_one(scene, place_of),
    ),
    Template(
        _kind("Audio-Visual", "Location"),
        "What colour is the sounding object?",
        NO_VALUE,
        ASKED_COLOURS,
        lambda scene, _: of_the_only_one(scene, colour_of),
    ),
    Template(
        _kind("Audio-Visual", "Comparative"),
        "Is the <Colour> object louder than the <Colour> object?",
        TWO_COLOURS,
        YES_NO,
        lambda scene, values: is_louder(*(object_loudness(scene, name) for name in values)),
        worn=True,
    ),
    Template(
        _kind("Audio-Visual", "Temporal"),
        "What colour is the <FL> sounding object?",
        (("first",), ("last",)),
        ASKED_COLOURS,
        lambda scene, values: first_in_order(scene, values[0]),
    ),
)


def questions_of(template: Template) -> list[list[Question]]:
    """Returns all questions of a template, one list for each text: one question for each of its answers."""
    return [[Question(template, values, answer) for answer in template.answers] for values in template.values]


def world_vocabulary() -> Vocabulary:
    """Returns the answers and words of all questions."""
    every = [question for template in TEMPLATES for text in questions_of(template) for question in text]
    words = dict.fromkeys(word for question in every for word in question.words)
    return Vocabulary(dict.fromkeys(question.answer for question in every), [PAD, *words])


BY_KIND: Mapping[int, tuple[Template, ...]] = {
    kind: tuple(template for template in TEMPLATES if template.kind == kind) for kind in range(len(QUESTION_KINDS))
}
WORLD_QUESTIONS = world_vocabulary()
"""Answers and words of the world's questions."""
