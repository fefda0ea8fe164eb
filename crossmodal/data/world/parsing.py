"""The built-in world parsed: which textures are heard and which are seen, second by second."""

import torch
from torch.utils.data import Dataset

from ..clip import Preprocess
from ..parsed_clip import ParsedClip
from .dataset import TINY, World


class ParsedWorld(Dataset[ParsedClip]):
    """Clips of a `World` with the textures that are heard and seen in every second as labels.

    Training is told the textures of a clip alone, in whichever modality: some sound from outside the frame, most
    objects are silent.
    """

    def __init__(self, split: str = "train", *, clips: int = 1000, seed: int = 0, preprocess: Preprocess = TINY):
        """Draws nothing yet.

        Args:
            split: `"train"`, `"val"` or `"test"`.
            clips: Length of the data set.
            seed: Seed of the world.
            preprocess: Size and rate of the clips.

        Raises:
            ValueError: As `World` does.
        """
        self.world = World(split, clips=clips, seed=seed, preprocess=preprocess)

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the names of the textures."""
        return self.world.texture_names

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every clip."""
        return self.world.names

    def __len__(self) -> int:
        return len(self.world)

    def stamp(self, index: int) -> str:
        """Returns a text that changes with all that a clip is drawn from; nothing is rendered."""
        return f"parsed {self.world.stamp(index)}"

    def __getitem__(self, index: int) -> ParsedClip:
        images, wave, truth = self.world.render(index)
        clip = self.world.preprocess(torch.from_numpy(images), torch.from_numpy(wave))
        audio, visual = torch.from_numpy(truth.audible), torch.from_numpy(truth.visible)
        present = (audio | visual).any(0).float()
        return ParsedClip(*clip, clip.frames.new_zeros(len(clip.frames), 0), present, audio, visual)
