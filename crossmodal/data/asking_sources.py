"""Sources of the task `avqa`: the built-in world, MUSIC-AVQA's clips, and its published features."""

from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from .clip import Preprocess
from .music_avqa import MusicAVQA, MusicAVQAFeatures, Negatives, others_of_other_videos
from .source import DrawnSource, Source
from .vocabulary import Vocabulary
from .world.asking import AskedWorld
from .world.every_nth import EveryNth
from .world.questions import WORLD_QUESTIONS

NAMED = 3
"""Questions that are named in a sentence about them."""
MINUTE = 60


class AskedWorldSource(DrawnSource):
    """Clips of the built-in world, each with a question and its answer, or several."""

    def __init__(
        self,
        *,
        batch_size: int = 8,
        workers: int = 0,
        clips: int = 800,
        held_out: int = 100,
        seed: int = 0,
        validation: str = "val",
        questions_per_clip: int = 1,
        together: bool = False,
    ):
        """Draws a world.

        Args:
            batch_size: Questions of a step, in every process.
            workers: Processes that read ahead.
            clips: Training clips.
            held_out: Validation clips, and as many test clips.
            seed: Seed of the world, and of the order of the training questions.
            validation: Split on which weights are selected, `"val"` or `"test"`.
            questions_per_clip: Questions about every clip.
            together: Whether training questions about one clip follow one another: `--model.share_clips true` then
                runs the encoders once for them.

        Raises:
            ValueError: If the options make no world.
        """
        self.questions_per_clip, self.together = questions_per_clip, together  # first: the base class draws
        super().__init__(
            batch_size=batch_size, workers=workers, clips=clips, held_out=held_out, seed=seed, validation=validation
        )

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> AskedWorld:
        """Returns so many clips of one split, with all their questions."""
        world = partial(AskedWorld, name, clips=clips, seed=self.seed, preprocess=preprocess)
        return world(questions_per_clip=self.questions_per_clip)

    def groups(self) -> Sequence[Hashable] | None:
        """Returns the clip of every training question, if those about one clip come together."""
        return [item // self.questions_per_clip for item in range(len(self.split("train")))] if self.together else None

    def for_grounding(self) -> Source:
        """Returns a source of every clip once, whatever is asked about it, as the grounding stage takes them."""
        return ClipsOnce(self)

    @property
    def classes(self) -> Vocabulary:
        """Answers and words of the world's questions."""
        return WORLD_QUESTIONS

    def describe(self) -> str:
        """Returns which world it is, in words."""
        return f"the built-in world, asked (seed {self.seed}, {self.clips} training clips): procedural, no real data"


class ClipsOnce(Source):
    """The clips of a world that is asked, each with its first question alone."""

    def __init__(self, source: AskedWorldSource):
        """Takes the clips of a source, and its options."""
        super().__init__(
            batch_size=source.batch_size, workers=source.workers, seed=source.seed, validation=source.validation
        )
        self.source = source

    def split(self, name: str) -> EveryNth:
        """Returns the clips of one split."""
        self.source.preprocess = self.preprocess
        return EveryNth(cast(AskedWorld, self.source.split(name)), self.source.questions_per_clip)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        return self.source.describe()


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
        together: bool = False,
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
            together: Whether training questions about one video follow one another: `--model.share_clips true` then
                runs the encoders once for them.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.together = together
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

    def groups(self) -> Sequence[Hashable] | None:
        """Returns the video of every training question, if those about one video come together."""
        return [question.video for question in self.split("train").questions] if self.together else None

    def for_grounding(self) -> "MusicAVQASource":
        """Returns the same source of questions about real videos, as the grounding stage takes them."""
        return MusicAVQASource(self.root, **{**self._keywords(), "wave_rate": self.wave_rate, "subset": "real"})

    def ready(self) -> Sequence[str]:
        """Returns sentences about ids that stand twice and answers that training does not know."""
        return [sentence for name in ("train", "val", "test") for sentence in self.split(name).remarks()]

    def facts(self) -> dict[str, Any]:
        """Returns how many questions of a split have an answer that training does not know."""
        return {"unknown_answers": {name: len(self.split(name).unknown_answers()) for name in ("val", "test")}}

    def _keywords(self) -> dict[str, Any]:
        names = ("batch_size", "workers", "seed", "version", "subset", "negatives", "validation", "together")
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
        together: bool = False,
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
            together: Whether training questions about one video follow one another.
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
            together=together,
        )

    def split(self, name: str) -> MusicAVQAFeatures:
        """Returns the questions of one split, with features."""
        return MusicAVQAFeatures(
            self.root, name, version=self.version, subset=self.subset, negatives=self.negatives, seed=self.seed
        )

    def for_grounding(self) -> "MusicAVQAFeatureSource":
        """Returns the same source of questions about real videos."""
        return MusicAVQAFeatureSource(self.root, **{**self._keywords(), "subset": "real"})

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the published features of {super().describe().removeprefix('the data set ')}"
