"""Sources of the task `avqa`: the built-in world, MUSIC-AVQA's clips, and its published features."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .clip import Preprocess
from .music_avqa import MusicAVQA, MusicAVQAFeatures, Negatives, others_of_other_videos
from .source import DrawnSource, Source
from .vocabulary import Vocabulary
from .world.asking import AskedWorld
from .world.questions import WORLD_QUESTIONS

NAMED = 3
"""Questions that are named in a sentence about them."""
MINUTE = 60


class AskedWorldSource(DrawnSource):
    """Clips of the built-in world, each with a question and its answer."""

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> AskedWorld:
        """Returns so many clips of one split."""
        return AskedWorld(name, clips=clips, seed=self.seed, preprocess=preprocess)

    @property
    def classes(self) -> Vocabulary:
        """Answers and words of the world's questions."""
        return WORLD_QUESTIONS

    def describe(self) -> str:
        """Returns which world it is, in words."""
        return f"the built-in world, asked (seed {self.seed}, {self.clips} training clips): procedural, no real data"


class MusicAVQASource(Source):
    """Questions about videos of a folder in MUSIC-AVQA's published layout (`crossmodal.data.music_avqa.MusicAVQA`)."""

    window = MINUTE

    def __init__(
        self,
        root: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        version: str = "json",
        subset: str = "",
        negatives: Negatives = others_of_other_videos,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            root: Folder of the data set.
            batch_size: Questions of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training questions, and of the frames of other videos.
            wave_rate: Samples per second of the stored waves.
            version: Folder of the questions: `json`, or `json_update` for the corrected ones.
            subset: `real` or `fake` for questions about such videos alone; empty for all.
            negatives: Draws the frames of other videos; `others_as_released` repeats a slip of the published code.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.wave_rate, self.version, self.subset = Path(root), wave_rate, version, subset
        self.negatives = negatives

    def split(self, name: str) -> MusicAVQA:
        """Returns the questions of one split."""
        return MusicAVQA(
            self.root,
            name,
            self.preprocess,
            wave_rate=self.wave_rate,
            version=self.version,
            subset=self.subset,
            negatives=self.negatives,
            seed=self.seed,
        )

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        which = self.version + (f", {self.subset} videos" if self.subset else "")
        return f"the data set {self.root} ({which})"

    def of_real_videos(self) -> "MusicAVQASource":
        """Returns the same source of questions about real videos, as the grounding stage takes them."""
        return MusicAVQASource(self.root, **{**self._keywords(), "wave_rate": self.wave_rate, "subset": "real"})

    def ready(self) -> Sequence[str]:
        """Returns sentences about ids that stand twice and answers that training does not know."""
        return [sentence for name in ("train", "val", "test") for sentence in self.split(name).remarks()]

    def facts(self) -> dict[str, Any]:
        """Returns how many questions of a split have an answer that training does not know."""
        return {"unknown_answers": {name: len(self.split(name).unknown_answers()) for name in ("val", "test")}}

    def _keywords(self) -> dict[str, Any]:
        names = ("batch_size", "workers", "seed", "version", "subset", "negatives", "validation")
        return {name: getattr(self, name) for name in names}


class MusicAVQAFeatureSource(MusicAVQASource):
    """Published features of a folder in MUSIC-AVQA's layout (`crossmodal.data.music_avqa.MusicAVQAFeatures`)."""

    def __init__(
        self,
        features: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        version: str = "json",
        subset: str = "",
        negatives: Negatives = others_of_other_videos,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            features: Folder of the data set, whose `feats/` is read.
            batch_size: Questions of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training questions, and of the frames of other videos.
            version: Folder of the questions: `json`, or `json_update` for the corrected ones.
            subset: `real` or `fake` for questions about such videos alone; empty for all.
            negatives: Draws the frames of other videos.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(
            features,
            batch_size=batch_size,
            workers=workers,
            seed=seed,
            version=version,
            subset=subset,
            negatives=negatives,
            validation=validation,
        )

    def split(self, name: str) -> MusicAVQAFeatures:
        """Returns the questions of one split, with features."""
        return MusicAVQAFeatures(
            self.root, name, version=self.version, subset=self.subset, negatives=self.negatives, seed=self.seed
        )

    def of_real_videos(self) -> "MusicAVQAFeatureSource":
        """Returns the same source of questions about real videos."""
        return MusicAVQAFeatureSource(self.root, **{**self._keywords(), "subset": "real"})

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the published features of {super().describe().removeprefix('the data set ')}"
