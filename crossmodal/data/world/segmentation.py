"""The built-in world segmented: clips of five seconds with the masks of the objects that sound."""

from typing import cast

import numpy as np
import torch

from ..clip import LabelledClip, Preprocess
from ..segmented_clip import SegmentedClip, check_setting
from .answers import Answer, SegmentAnswers, colours
from .dataset import TINY, Rendered, World
from .scene import Difficulty, Objects, Sounds, draw_scene, named_colour, sounding
from .truth import Truth

FIRST, SECONDS = 3, 5
"""The clip is the middle of a world's ten seconds, in which most of what sounds is sounding."""


class SegmentedWorld(World):
    """Clips of the world with the masks of its sounding objects, 64² pixels.

    In setting `s4` one object sounds, and training knows the mask of the first frame alone; in `ms3` one or two sound,
    and training knows every mask. A mask is empty where no object of the frame is heard. The label of a second is the
    colour of the object that sounds, and background where none does, or two do.
    """

    def __init__(
        self,
        split: str = "train",
        *,
        clips: int = 1000,
        seed: int = 0,
        setting: str = "ms3",
        preprocess: Preprocess = TINY,
    ):
        """Draws nothing yet.

        Args:
            split: `"train"`, `"val"` or `"test"`.
            clips: Length of the data set.
            seed: Seed of the world.
            setting: `"s4"` or `"ms3"`.
            preprocess: Size and rate of the clips.

        Raises:
            ValueError: As `World` does; for another setting.
        """
        check_setting("SegmentedWorld", setting)
        super().__init__(split, clips=clips, seed=seed, preprocess=preprocess)
        self.setting = setting

    @property
    def _rule(self) -> Answer:
        return RULES[self.setting]

    def render(self, index: int) -> Rendered:
        """Renders the five seconds of a clip, with their ground truth.

        Raises:
            IndexError: If there is no such clip.
        """
        images, wave, truth = super().render(index)
        kept = slice(FIRST, FIRST + SECONDS)
        return Rendered(images[kept], wave[kept], seconds_of(truth, kept))

    def __getitem__(self, index: int) -> LabelledClip:
        images, wave, truth = self.render(index)
        clip = self.preprocess(torch.from_numpy(images), torch.from_numpy(wave))
        supervised = torch.ones(SECONDS, dtype=torch.bool)
        supervised[1:] = self.split != "train" or self.setting == "ms3"
        labels = torch.from_numpy(self._rule.labels(truth.objects, truth.sounds, truth.difficulty))
        masks = torch.from_numpy(truth.event_mask) & supervised[:, None, None]
        # a world yields what its task reads: the fields of a labelled clip, and more
        return cast(LabelledClip, SegmentedClip(*clip, masks, supervised, labels))


def seconds_of(truth: Truth, kept: slice) -> Truth:
    """Returns the ground truth of some seconds of a clip; an onset before the first of them is negative."""
    objects, sounds = truth.objects, truth.sounds
    return truth._replace(
        objects=objects._replace(
            texture=objects.texture[kept], centre=objects.centre[kept], radius=objects.radius[kept]
        ),
        sounds=sounds._replace(loudness=sounds.loudness[kept], onset=sounds.onset - kept.start),
        masks=truth.masks[kept],
    )


def draw_several(rng: np.random.Generator, difficulty: Difficulty) -> tuple[Objects, Sounds]:
    """Draws a scene in which one or two objects sound."""
    return draw_scene(rng, difficulty, sounding=int(rng.integers(1, 3)))


def only_colour(objects: Objects, sounds: Sounds, difficulty: Difficulty) -> SegmentAnswers:
    """Returns the colour of the one object that sounds; background where none does, or several do."""
    alone = sounding(objects, sounds).sum(axis=1) == 1
    return np.where(alone, named_colour(objects, sounds, difficulty), difficulty.colours)


RULES = {"s4": Answer(draw_scene, named_colour, colours), "ms3": Answer(draw_several, only_colour, colours)}
"""Setting → how scenes are drawn and labelled."""
