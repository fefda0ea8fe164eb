"""Data set of the built-in world: deterministic in (split, seed, index), rendered when an item is read."""

from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.utils.data import Dataset

from ..clip import LabelledClip, Preprocess
from ..stamps import library_versions
from .answers import ANSWERS, Answer
from .picture import SIZE, paint
from .scene import TEXTURES, Difficulty, Objects, Sounds
from .sound import mix
from .truth import Truth

Split = Literal["train", "val", "test"]
TINY = Preprocess(size=SIZE, rate=16_000)
"""Size and rate of the tiny encoders; the world is drawn at this size, so nothing is resized."""


class Rendered(NamedTuple):
    """Clip as it is seen and heard: frames in 0…255, sound in [-1, 1], and its ground truth."""

    images: UInt8[np.ndarray, "segment 3 height width"]
    wave: Float32[np.ndarray, "segment sample"]
    truth: Truth


class World(Dataset[LabelledClip]):
    """Procedural clips of ten seconds in which only sight and sound together can tell the event.

    A frame shows three objects or more; each has a texture, which a sound can name, and a colour, which it cannot.
    The event of a segment is the colour of the object whose texture is heard; background where no texture that is
    seen is heard (silence, a sound from outside the frame, or the object has changed its coat). A clip has one event
    class, as AVE has. An index outside `clips` raises `IndexError`.
    """

    def __init__(
        self,
        split: str = "train",
        *,
        clips: int = 1000,
        seed: int = 0,
        objects: int = 4,
        textures: int = len(TEXTURES),
        colours: int = 6,
        clutter: float = 0.3,
        answer: str = "place",
        preprocess: Preprocess = TINY,
    ):
        """Draws nothing yet.

        Args:
            split: `"train"`, `"val"` or `"test"`: streams of clips that never meet.
            clips: Length of the data set.
            seed: In [0, 2³²); another seed is another world.
            objects: Most objects of a clip, which shows three or more; at most 6.
            textures: Kinds of textures; at most 8.
            colours: Kinds of colours, which are the event classes; at most 8.
            clutter: In [0, 1]: how blotched the ground is, how noisy picture and sound are.
            answer: Where the answer lies: at a `"place"`, in a `"channel"`, in a `"band"` or in a `"second"`, as
                `crossmodal.data.world.answers` draws them; `objects` and `textures` matter to places alone. `"pair"`
                is a place, too, whose classes name the texture beside the colour, as `"red dots"`.
            preprocess: Size and rate of the clips; frames are drawn with 64 pixels and resized.

        Raises:
            ValueError: If an argument is out of its range, or some contradict each other.
        """
        if split not in get_args(Split):
            raise ValueError(f"World: split={split!r} must be one of {', '.join(map(repr, get_args(Split)))}.")
        if answer not in ANSWERS:
            raise ValueError(f"World: answer={answer!r} must be one of {', '.join(map(repr, ANSWERS))}.")
        if clips < 1:
            raise ValueError(f"World: clips={clips} must be at least 1.")
        if not 0 <= seed < 2**32:
            raise ValueError(f"World: seed={seed} must lie in [0, 2³²).")
        if preprocess.rate < 16_000:
            raise ValueError(f"World: preprocess.rate={preprocess.rate} must be at least 16000: timbres reach 7 kHz.")
        self.difficulty = Difficulty(objects, textures, colours, clutter, answer)
        self.split, self.clips, self.seed, self.preprocess = split, clips, seed, preprocess

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the names of the event classes; the label behind the last is background."""
        return self._rule.classes(self.difficulty)

    @property
    def texture_names(self) -> tuple[str, ...]:
        """Returns the names of the textures; each has a timbre of its own."""
        return TEXTURES[: self.difficulty.textures]

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every clip, the same wherever this world is made."""
        return [f"world-{self.seed}-{self.split}-{index}" for index in range(self.clips)]

    @property
    def _rule(self) -> Answer:
        """Returns how scenes are drawn and labelled."""
        return ANSWERS[self.difficulty.answer]

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> LabelledClip:
        images, wave, truth = self.render(index)
        clip = self.preprocess(torch.from_numpy(images), torch.from_numpy(wave))
        return LabelledClip(*clip, torch.from_numpy(truth.labels))

    def stamp(self, index: int) -> str:
        """Returns a text that changes with all that a clip is drawn from; nothing is rendered."""
        drawn = f"{self.split} {self.seed} {index % self.clips} {self.difficulty}"
        return f"World {drawn} {self.preprocess} {library_versions('crossmodal-blocks', 'numpy', 'torch')}"

    def truth(self, index: int) -> Truth:
        """Returns the ground truth of a clip."""
        return self.render(index).truth

    def scene(self, index: int) -> tuple[Objects, Sounds]:
        """Draws objects and sounds of a clip without rendering them."""
        return self._rule.draw(self._generator(index), self.difficulty)

    def _generator(self, index: int) -> np.random.Generator:
        """Returns the random numbers of a clip; raises `IndexError` if there is no such clip."""
        if not -self.clips <= index < self.clips:
            raise IndexError(f"World: clip {index} does not exist: this split has {self.clips}.")
        stream = get_args(Split).index(self.split)
        # a generator for every clip: the order in which clips are read, and by how many workers, changes nothing
        return np.random.default_rng([self.seed, stream, index % self.clips])

    def render(self, index: int) -> Rendered:
        """Renders a clip before it is resized and normalised, with its ground truth.

        Raises:
            IndexError: If there is no such clip.
        """
        rng = self._generator(index)
        objects, sounds = self._rule.draw(rng, self.difficulty)
        images, masks = paint(rng, objects, self.difficulty.clutter)
        wave = mix(rng, sounds, self.preprocess.rate, self.difficulty.clutter)
        return Rendered(images, wave, Truth(objects, sounds, masks, self.difficulty))
