"""Sources of the task `avs`: the built-in world, and AVSBench's clips."""

from collections.abc import Sequence
from pathlib import Path

from .avsbench import AVSBench
from .clip import Preprocess
from .segmented_clip import check_setting
from .source import DrawnSource, Source
from .world.segmentation import SegmentedWorld


class SegmentedWorldSource(DrawnSource):
    """Clips of the built-in world, with the masks of the objects that sound."""

    def __init__(
        self,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
        setting: str = "ms3",
    ):
        """Draws a world.

        Args:
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            clips: Training clips.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`.
            setting: `s4`: one object sounds, training knows the mask of the first frame; `ms3`: one or two sound,
                training knows every mask.
        """
        self.setting = setting  # first: the base class draws
        super().__init__(
            batch_size=batch_size, workers=workers, clips=clips, held_out=held_out, seed=seed, validation=validation
        )

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> SegmentedWorld:
        """Returns so many clips of one split."""
        return SegmentedWorld(name, clips=clips, seed=self.seed, setting=self.setting, preprocess=preprocess)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        drawn = f"setting {self.setting}, seed {self.seed}, {self.clips} training clips"
        return f"the built-in world, segmented ({drawn}): procedural, no real data"


class AVSBenchSource(Source):
    """Clips of a folder in AVSBench's published layout (`crossmodal.data.avsbench.AVSBench`)."""

    def __init__(
        self,
        root: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        validation: str = "val",
        setting: str = "s4",
        wave_rate: int = 32_000,
        mask_size: int = 224,
    ):
        """Names the folder.

        Args:
            root: Folder of the data set.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            validation: Split on which weights are selected, `"val"` or `"test"`; DG-SCT and LAVisH took the test split.
            setting: `s4`, the Single-source part, or `ms3`, the Multi-sources part.
            wave_rate: Samples per second of waves that are stored as `.npy`.
            mask_size: Height and width of the masks; masks of another size are resized to it.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        check_setting("AVSBenchSource", setting)
        self.root, self.setting, self.wave_rate, self.mask_size = Path(root), setting, wave_rate, mask_size

    def split(self, name: str) -> AVSBench:
        """Returns the clips of one split."""
        return AVSBench(
            self.root,
            name,
            self.preprocess,
            setting=self.setting,
            wave_rate=self.wave_rate,
            mask_size=self.mask_size,
        )

    def check(self) -> None:
        """Looks at the names of all files of all splits, before an hour is lost on the way to a missing one.

        Raises:
            ValueError: If a clip lacks a frame, a mask or its sound.
        """
        found = {name: self.split(name).check() for name in ("train", "val", "test")}
        problems = [(name, said) for name, clips in found.items() for of in clips.values() for said in of]
        if problems:
            counts = ", ".join(f"{len(clips)} {name}" for name, clips in found.items() if clips)
            raise ValueError(
                f"{self.root} lacks something of {sum(map(len, found.values()))} clips ({counts}). The first is of "
                f"{problems[0][0]}: {problems[0][1]} Bring what is missing, or take the rows of these clips out of the "
                "table."
            )

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root}, setting {self.setting}"

    def ready(self) -> Sequence[str]:
        """Returns how many clips there are."""
        return [f"{self.setting}: " + ", ".join(f"{len(self.split(n))} {n}" for n in ("train", "val", "test"))]
