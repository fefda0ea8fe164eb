"""The clips that audio-visual events are learned from: the built-in world, or a folder in AVE's layout."""

from pathlib import Path

from crossmodal.data import AVE
from crossmodal.data.world import World
from crossmodal.training.data_module import ClipData


class EventData(ClipData):
    """Clips of the built-in world, or of a data set in AVE's layout (`crossmodal.data.AVE`).

    - `root`: folder of the data set; `None` for the built-in world.
    - `batch_size`: clips a step, in every process.
    - `workers`: processes that read ahead.
    - `clips`: training clips of the built-in world; validation and test have `held_out` each.
    - `seed`: of the built-in world, and of the order of the training clips.
    - `wave_rate`: samples a second of the stored waves of a data set.
    - `validation`: the split that weights are selected on; `"test"` repeats trainings that did so, and no figure of
      such a run is one for unseen clips.

    Set `preprocess` to the model's before the first batch.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        wave_rate: int = 32_000,
        validation: str = "val",
    ):
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.clips, self.held_out, self.wave_rate = root, clips, held_out, wave_rate

    def split(self, name: str) -> World | AVE:
        """The data set of one split: `"train"`, `"val"` or `"test"`."""
        if self.root is not None:
            return AVE(self.root, name, self.preprocess, wave_rate=self.wave_rate)
        options = {} if self.preprocess is None else {"preprocess": self.preprocess}
        return World(name, clips=self.clips if name == "train" else self.held_out, seed=self.seed, **options)
