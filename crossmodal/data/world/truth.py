"""Ground truth of a clip of the built-in world."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from .answers import ANSWERS
from .scene import Difficulty, Objects, Sounds, sounding


class Truth(NamedTuple):
    """Ground truth of one clip: enough to label events, parsing, segmentation and questions.

    Attributes:
        objects: Objects, covered or not.
        sounds: Sounds, named by textures.
        masks: Pixels of the 64-pixel frame on which an object is seen (what covers it is taken out).
        difficulty: Parameters that the clip was drawn with.
    """

    objects: Objects
    sounds: Sounds
    masks: Bool[np.ndarray, "segment object height width"]
    difficulty: Difficulty

    @property
    def visible(self) -> Bool[np.ndarray, "segment texture"]:
        """Returns which textures are seen in a segment."""
        named = self.objects.texture[:, :, None] == np.arange(self.difficulty.textures)
        return (named & self.shown[:, :, None]).any(axis=1)

    @property
    def shown(self) -> Bool[np.ndarray, "segment object"]:
        """Returns which objects are in the frame, covered or not."""
        return self.objects.radius > 0

    @property
    def audible(self) -> Bool[np.ndarray, "segment texture"]:
        """Returns the textures whose timbres are heard in a segment."""
        named = self.sounds.texture[:, None] == np.arange(self.difficulty.textures)
        return ((self.sounds.loudness[:, :, None] > 0) & named).any(axis=1)

    @property
    def coloured(self) -> Bool[np.ndarray, "segment colour"]:
        """Returns which colours are seen in a segment."""
        named = self.objects.colour[:, None] == np.arange(self.difficulty.colours)
        return (named & self.shown[:, :, None]).any(axis=1)

    @property
    def sounding(self) -> Bool[np.ndarray, "segment object"]:
        """Returns which objects the sound names: seen and heard at once."""
        return sounding(self.objects, self.sounds)

    @property
    def labels(self) -> Int64[np.ndarray, " segment"]:
        """Returns the answer of every segment, by the rule that the clip was drawn with."""
        return ANSWERS[self.difficulty.answer].labels(self.objects, self.sounds, self.difficulty)

    @property
    def event_mask(self) -> Bool[np.ndarray, "segment height width"]:
        """Returns the pixels of the object that the sound names."""
        return (self.masks & self.sounding[:, :, None, None]).any(axis=1)

    @property
    def seen(self) -> int:
        """Returns the number of objects of the clip."""
        return len(self.objects.colour)

    @property
    def heard(self) -> Int64[np.ndarray, " segment"]:
        """Returns the number of sounds in a segment."""
        return self.audible.sum(axis=1)

    @property
    def onset_order(self) -> tuple[int, ...]:
        """Returns the textures in the order in which their sounds set in."""
        return tuple(int(texture) for texture in self.sounds.texture)
