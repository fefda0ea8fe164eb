"""The built-in world asks: every clip is drawn for one question and one of its answers; no question tells it."""

from functools import cached_property
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch.utils.data import Dataset

from ..asked_clip import AskedClip
from ..clip import Preprocess
from ..questions import encode_words
from ..stamps import library_versions
from .dataset import TINY, Rendered, Split
from .picture import paint
from .questions import BY_KIND, WORLD_QUESTIONS, Question, Scene, questions_of, wearing
from .scene import Difficulty, draw_scene
from .sound import mix
from .truth import Truth

TRIES = 20_000
"""Scenes that are drawn before a question is given up; every question of the world needs far fewer."""
LOUDEST = 3
"""Most objects of a clip that sound."""


class AskedRendered(NamedTuple):
    """A clip as it is seen and heard, and the question about it."""

    clip: Rendered
    question: Question


class AskedWorld(Dataset[AskedClip]):
    """Clips of ten seconds, each with a question of a word's answer, balanced so that a question alone is at chance.

    The nine kinds of questions take turns; within a kind, every text comes with each of its answers before the next
    text does. For a question and an answer, scenes are drawn until one has that answer: the clips of two answers to one
    question differ in what is asked for, and in what follows from it. One to three objects sound, and up to two sounds
    come from outside the frame.
    """

    def __init__(self, split: str = "train", *, clips: int = 1000, seed: int = 0, preprocess: Preprocess = TINY):
        """Draws nothing yet.

        Args:
            split: `"train"`, `"val"` or `"test"`.
            clips: Length of the data set.
            seed: In [0, 2³²); another seed is another world.
            preprocess: Size and rate of the clips.

        Raises:
            ValueError: If an argument is out of its range.
        """
        if split not in get_args(Split):
            raise ValueError(f"AskedWorld: split={split!r} must be one of {', '.join(map(repr, get_args(Split)))}.")
        if clips < 1:
            raise ValueError(f"AskedWorld: clips={clips} must be at least 1.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"AskedWorld: seed={seed} must lie in [0, 2³²).")
        self.split, self.clips, self.seed, self.preprocess = split, clips, seed, preprocess
        self.difficulty = Difficulty()
        self._found: dict[int, int] = {}  # clip → attempt that gave its scene: a later epoch draws that one alone
        self._words = {word: at for at, word in enumerate(WORLD_QUESTIONS.words)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the answers, with the words of the questions."""
        return WORLD_QUESTIONS

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every clip."""
        return [f"asked-{self.seed}-{self.split}-{index}" for index in range(self.clips)]

    @cached_property
    def questions(self) -> list[Question]:
        """Question and answer of every clip; a few milliseconds for all, nothing is rendered."""
        rng = self._generator()
        of_kinds = {kind: self._of_kind(rng, kind) for kind in BY_KIND}
        found: list[Question] = []
        while len(found) < self.clips:
            for kind in rng.permutation(len(BY_KIND)).tolist():
                if not of_kinds[kind]:
                    of_kinds[kind] = self._of_kind(rng, kind)
                found.append(of_kinds[kind].pop())
        return found[: self.clips]

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> AskedClip:
        (images, wave, _), question = self.render(index)
        clip = self.preprocess(torch.from_numpy(images), torch.from_numpy(wave))
        others = torch.stack([self.preprocess.image(image) for image in torch.from_numpy(self._other_frames(index))])
        ids = encode_words(question.words, self._words, "AskedWorld")
        answer = WORLD_QUESTIONS.index(question.answer)
        return AskedClip(*clip, others, ids, torch.tensor(answer), torch.tensor(question.template.kind))

    def stamp(self, index: int) -> str:
        """Returns a text that changes with all that a clip is drawn from; nothing is rendered."""
        # the number of clips decides which other clip's frames are shown
        drawn = f"{self.split} {self.seed} {self._place(index)} of {self.clips}"
        return f"AskedWorld {drawn} {self.preprocess} {library_versions('crossmodal-blocks', 'numpy', 'torch')}"

    def render(self, index: int) -> AskedRendered:
        """Renders a clip before it is resized and normalised, with its ground truth and its question.

        Raises:
            IndexError: If there is no such clip.
        """
        at, scene = self._place(index), self.scene(index)
        rng = self._generator(at)
        images, masks = paint(rng, scene.objects, self.difficulty.clutter)
        wave = mix(rng, scene.sounds, self.preprocess.rate, self.difficulty.clutter)
        return AskedRendered(Rendered(images, wave, Truth(*scene, masks, self.difficulty)), self.questions[at])

    def scene(self, index: int) -> Scene:
        """Draws the scene of a clip: the first one that has the answer to its question.

        Raises:
            RuntimeError: If none of many scenes has it.
        """
        at = self._place(index)
        question = self.questions[at]
        for attempt in range(self._found.get(at, 0), TRIES):
            rng = self._generator(at, attempt)
            objects, sounds = draw_scene(rng, self.difficulty, sounding=int(rng.integers(1, LOUDEST + 1)))
            worn = question.values if question.template.worn else ()
            scene = Scene(wearing(rng, objects, worn), sounds)
            if question.template.rule(scene, question.values) == question.answer:
                self._found[at] = attempt
                return scene
        raise RuntimeError(f"AskedWorld: no scene answers {' '.join(question.words)!r} by {question.answer!r}.")

    def _other_frames(self, index: int) -> np.ndarray:
        """Paints the frames of one other clip, in another order: no second of it is that of the sound."""
        at = self._place(index)
        rng = self._generator(at, TRIES)
        others = self.clips - 1
        # a world of one clip has no other: its frames then show objects of a scene that is no clip
        other = (at + 1 + int(rng.integers(others))) % self.clips if others else at
        objects = self.scene(other).objects if others else draw_scene(rng, self.difficulty)[0]
        images, _ = paint(self._generator(other), objects, self.difficulty.clutter)
        return np.asarray(images[rng.permutation(len(images))])

    def _place(self, index: int) -> int:
        """Returns the place of a clip, counted from the first one."""
        if not -self.clips <= index < self.clips:
            raise IndexError(f"AskedWorld: clip {index} does not exist: this split has {self.clips}.")
        return index % self.clips

    def _generator(self, *numbers: int) -> np.random.Generator:
        """Returns a generator of a split's own, or of one clip: the order in which clips are read changes nothing."""
        return np.random.default_rng([self.seed, get_args(Split).index(self.split), 7, *numbers])

    def _of_kind(self, rng: np.random.Generator, kind: int) -> list[Question]:
        """Returns all questions of a kind: texts in a random order, of templates that take turns."""
        waiting = []
        for template in BY_KIND[kind]:
            texts = questions_of(template)
            waiting.append([texts[at] for at in rng.permutation(len(texts))])
        longest = max(map(len, waiting))
        ordered = [texts[at % len(texts)] for at in range(longest) for texts in waiting]
        return [text[at] for text in reversed(ordered) for at in rng.permutation(len(text))]
