"""All that the built-in world knows about a clip."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from .scene import Cast, Knobs, Track


class Truth(NamedTuple):
    """Ground truth of one clip: enough to label events, parsing, segmentation and questions.

    - `cast`, `track`: the objects and the sounds.
    - `masks`: pixels of the 64-pixel frame on which an object is seen (what covers it is taken out).
    - `knobs`: what the clip was drawn with.
    """

    cast: Cast
    track: Track
    masks: Bool[np.ndarray, "segment object height width"]
    knobs: Knobs

    @property
    def visible(self) -> Bool[np.ndarray, "segment texture"]:
        """Which textures are seen in a segment."""
        return (self.cast.texture[:, :, None] == np.arange(self.knobs.textures)).any(axis=1)

    @property
    def audible(self) -> Bool[np.ndarray, "segment texture"]:
        """Whose timbres are heard in a segment."""
        named = self.track.texture[:, None] == np.arange(self.knobs.textures)
        return ((self.track.loudness[:, :, None] > 0) & named).any(axis=1)

    @property
    def coloured(self) -> Bool[np.ndarray, "segment colour"]:
        """Which colours are seen in a segment."""
        shown = (self.cast.colour[:, None] == np.arange(self.knobs.colours)).any(axis=0)
        return np.tile(shown, (len(self.masks), 1))

    @property
    def sounding(self) -> Bool[np.ndarray, "segment object"]:
        """Which objects the sound names: seen and heard at once."""
        return np.take_along_axis(self.audible, self.cast.texture, axis=1)

    @property
    def labels(self) -> Int64[np.ndarray, " segment"]:
        """The event: the colour of the object that the sound names; `knobs.colours` (background) if there is none."""
        colour = self.cast.colour[self.sounding.argmax(axis=1)]
        return np.where(self.sounding.any(axis=1), colour, self.knobs.colours)

    @property
    def event_mask(self) -> Bool[np.ndarray, "segment height width"]:
        """Pixels of the object that the sound names."""
        return (self.masks & self.sounding[:, :, None, None]).any(axis=1)

    @property
    def seen(self) -> int:
        """Number of objects, the same in every segment."""
        return len(self.cast.colour)

    @property
    def heard(self) -> Int64[np.ndarray, " segment"]:
        """Number of sounds in a segment."""
        return self.audible.sum(axis=1)

    @property
    def onset_order(self) -> tuple[int, ...]:
        """Textures in the order in which their sounds set in."""
        return tuple(int(texture) for texture in self.track.texture)
