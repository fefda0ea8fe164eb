"""The built-in world asks: every clip is drawn for one question and one of its answers; no question tells it."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..asked_clip import AskedClip
from ..clip import Clip, Preprocess
from ..questions import encode_words
from ..stamps import library_versions
from .dataset import TINY, Rendered, Split
from .picture import paint
from .questions import BY_KIND, WORLD_QUESTIONS, Question, Scene, has_answer, questions_of, wearing
from .scene import Difficulty, draw_scene
from .sound import mix
from .truth import Truth

TRIES = 20_000
"""Scenes that are drawn before a question is given up; every question of the world needs far fewer."""
LOUDEST = 3
"""Most objects of a clip that sound."""
WAITING = 24
"""Questions of a kind among which a clip finds one that it has the answer to, where clips take several.

The more, the sooner one is found; the fewer, the closer a text's answers are to equally often.
"""
MOST_QUESTIONS = 5
"""Most questions about one clip: of the nine kinds, few clips have an answer to all."""


class AskedRendered(NamedTuple):
    """A clip as it is seen and heard, and the question about it."""

    clip: Rendered
    question: Question


class Shown(NamedTuple):
    """What every item about a clip shows: the clip, and frames of another one."""

    clip: Clip
    others: Tensor


class AskedWorld(Dataset[AskedClip]):
    """Clips of ten seconds, each with a question of a word's answer, balanced so that a question alone is at chance.

    The nine kinds of questions take turns; within a kind, every text comes with each of its answers before the next
    text does. For a question and an answer, scenes are drawn until one has that answer: the clips of two answers to one
    question differ in what is asked for, and in what follows from it. One to three objects sound, and up to two sounds
    come from outside the frame.

    Of several questions about a clip each is an item, next to one another, and of another kind. The further ones are
    taken from the same balanced lists: the first of a kind's that the clip has the answer to.
    """

    def __init__(
        self,
        split: str = "train",
        *,
        clips: int = 1000,
        seed: int = 0,
        preprocess: Preprocess = TINY,
        questions_per_clip: int = 1,
    ):
        """Draws nothing yet.

        Args:
            split: `"train"`, `"val"` or `"test"`.
            clips: Number of clips.
            seed: In [0, 2³²); another seed is another world.
            preprocess: Size and rate of the clips.
            questions_per_clip: From 1 to `MOST_QUESTIONS`; the length of the data set is that of all questions.

        Raises:
            ValueError: If an argument is out of its range.
        """
        if split not in get_args(Split):
            raise ValueError(f"AskedWorld: split={split!r} must be one of {', '.join(map(repr, get_args(Split)))}.")
        if clips < 1:
            raise ValueError(f"AskedWorld: clips={clips} must be at least 1.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"AskedWorld: seed={seed} must lie in [0, 2³²).")
        if not 1 <= questions_per_clip <= MOST_QUESTIONS:
            raise ValueError(f"AskedWorld: questions_per_clip={questions_per_clip} must lie in [1, {MOST_QUESTIONS}].")
        self.split, self.clips, self.seed, self.preprocess = split, clips, seed, preprocess
        self.questions_per_clip = questions_per_clip
        self.difficulty = Difficulty()
        self._found: dict[int, int] = {}  # clip → attempt that gave its scene: a later epoch draws that one alone
        self._last: tuple[int, Shown] | None = None  # items about one clip are often read one after another
        self._words = {word: at for at, word in enumerate(WORLD_QUESTIONS.words)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the answers, with the words of the questions."""
        return WORLD_QUESTIONS

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every item."""
        names = [f"asked-{self.seed}-{self.split}-{clip}" for clip in range(self.clips)]
        if self.questions_per_clip == 1:
            return names
        return [f"{name}-{place}" for name in names for place in range(self.questions_per_clip)]

    @cached_property
    def questions(self) -> list[Question]:
        """Question and answer of every item; nothing is rendered.

        A few milliseconds for all; of several questions about a clip the scenes are drawn, which takes some ten
        milliseconds for each, once in a process.
        """
        drawn = _drawn_questions(self.split, self.clips, self.seed, self.questions_per_clip)
        self._found |= drawn.attempts
        return drawn.questions

    def draw_questions(self) -> "DrawnQuestions":
        """Draws the questions of all clips, and the scenes that several questions are about."""
        rng = self._generator()
        waiting = {kind: self._of_kind(rng, kind) for kind in BY_KIND}
        asked = dict.fromkeys(BY_KIND, 0)
        found: list[Question] = []
        clip = 0
        while clip < self.clips:
            for kind in rng.permutation(len(BY_KIND)).tolist()[: self.clips - clip]:
                kinds, least = ([kind], 1) if self.questions_per_clip == 1 else (list(BY_KIND), WAITING)
                for filled in kinds:
                    while len(waiting[filled]) < least:
                        waiting[filled] = self._of_kind(rng, filled) + waiting[filled]  # the last ones are asked first
                first = waiting[kind].pop()
                further = self._ask_more(clip, first, waiting, sorted(asked, key=asked.__getitem__))
                for question in (first, *further):
                    asked[question.template.kind] += 1
                found += [first, *further]
                clip += 1
        return DrawnQuestions(found, self._found)

    def _ask_more(
        self, clip: int, first: Question, waiting: dict[int, list[Question]], kinds: Sequence[int]
    ) -> list[Question]:
        """Draws the scene of a clip, and takes its further questions from those that wait: of rarely asked kinds first.

        A list of which a clip cannot take any is left as it is: it is the first questions of clips that empty it.
        """
        more = self.questions_per_clip - 1
        if not more:
            return []
        for attempt, scene in self._scenes(clip, first):
            taken: list[Question] = []
            for kind in kinds:
                fits = (question for question in waiting[kind][: -WAITING - 1 : -1] if has_answer(scene, question))
                if len(taken) < more and kind != first.template.kind and (found := next(fits, None)):
                    taken.append(found)
            if len(taken) == more:
                for question in taken:  # the one nearest to the end: equal ones wait further in front
                    listed = waiting[question.template.kind]
                    del listed[max(at for at, other in enumerate(listed) if other is question)]
                self._found[clip] = attempt
                return taken
        raise RuntimeError(f"AskedWorld: no scene answers {more} questions beside {' '.join(first.words)!r}.")

    def __len__(self) -> int:
        return self.clips * self.questions_per_clip

    def __getitem__(self, index: int) -> AskedClip:
        question = self.questions[self._place(index)]
        clip, others = self._shown(self._clip(index))
        ids = encode_words(question.words, self._words, "AskedWorld")
        answer = WORLD_QUESTIONS.index(question.answer)
        return AskedClip(*clip, others, ids, torch.tensor(answer), torch.tensor(question.template.kind))

    def stamp(self, index: int) -> str:
        """Returns a text that changes with all that an item is drawn from; nothing is rendered."""
        # the number of clips decides which other clip's frames are shown
        drawn = f"{self.split} {self.seed} {self._place(index)} of {self.clips}"
        if self.questions_per_clip > 1:
            drawn += f" with {self.questions_per_clip} questions each"
        return f"AskedWorld {drawn} {self.preprocess} {library_versions('crossmodal-blocks', 'numpy', 'torch')}"

    def render(self, index: int) -> AskedRendered:
        """Renders an item's clip before it is resized and normalised, with its ground truth and the item's question.

        Raises:
            IndexError: If there is no such item.
        """
        return AskedRendered(self._rendered(self._clip(index)), self.questions[self._place(index)])

    def scene(self, index: int) -> Scene:
        """Draws the scene of an item's clip: the first one that has the answers to the clip's questions.

        Raises:
            RuntimeError: If none of many scenes has them.
        """
        return self._scene(self._clip(index))

    def _scene(self, clip: int) -> Scene:
        first = self.questions[clip * self.questions_per_clip]  # before `_found`, which it may fill
        for attempt, scene in self._scenes(clip, first, start=self._found.get(clip, 0)):
            self._found[clip] = attempt
            return scene
        raise RuntimeError(f"AskedWorld: no scene answers {' '.join(first.words)!r} by {first.answer!r}.")

    def _scenes(self, clip: int, first: Question, *, start: int = 0) -> Iterator[tuple[int, Scene]]:
        """Yields attempts and scenes of a clip that have the answer to its first question."""
        for attempt in range(start, TRIES):
            rng = self._generator(clip, attempt)
            objects, sounds = draw_scene(rng, self.difficulty, sounding=int(rng.integers(1, LOUDEST + 1)))
            worn = first.values if first.template.worn else ()
            scene = Scene(wearing(rng, objects, worn), sounds)
            if has_answer(scene, first):
                yield attempt, scene

    def _rendered(self, clip: int) -> Rendered:
        rng, scene = self._generator(clip), self._scene(clip)
        images, masks = paint(rng, scene.objects, self.difficulty.clutter)
        wave = mix(rng, scene.sounds, self.preprocess.rate, self.difficulty.clutter)
        return Rendered(images, wave, Truth(*scene, masks, self.difficulty))

    def _shown(self, clip: int) -> Shown:
        """Returns what items about a clip show; of several in a row it is rendered once."""
        if self._last is None or self._last[0] != clip:
            images, wave, _ = self._rendered(clip)
            others = [self.preprocess.image(image) for image in torch.from_numpy(self._other_frames(clip))]
            shown = Shown(self.preprocess(torch.from_numpy(images), torch.from_numpy(wave)), torch.stack(others))
            self._last = clip, shown
        return self._last[1]

    def _other_frames(self, clip: int) -> np.ndarray:
        """Paints the frames of one other clip, in another order: no second of it is that of the sound."""
        rng = self._generator(clip, TRIES)
        others = self.clips - 1
        # a world of one clip has no other: its frames then show objects of a scene that is no clip
        other = (clip + 1 + int(rng.integers(others))) % self.clips if others else clip
        objects = self._scene(other).objects if others else draw_scene(rng, self.difficulty)[0]
        images, _ = paint(self._generator(other), objects, self.difficulty.clutter)
        return np.asarray(images[rng.permutation(len(images))])

    def _clip(self, index: int) -> int:
        """Returns the clip of an item."""
        return self._place(index) // self.questions_per_clip

    def _place(self, index: int) -> int:
        """Returns the place of an item, counted from the first one."""
        items = len(self)
        if not -items <= index < items:
            raise IndexError(f"AskedWorld: item {index} does not exist: this split has {items}.")
        return index % items

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


class DrawnQuestions(NamedTuple):
    """Questions of all items of a split, and the attempts that gave the scenes of those clips that were drawn."""

    questions: list[Question]
    attempts: dict[int, int]


@lru_cache(maxsize=6)
def _drawn_questions(split: Split, clips: int, seed: int, questions_per_clip: int) -> DrawnQuestions:
    world = AskedWorld(split, clips=clips, seed=seed, questions_per_clip=questions_per_clip)
    return world.draw_questions()
