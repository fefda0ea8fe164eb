"""Sources of the task `avvp`: the built-in world, LLP's clips, and LLP's published features."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .clip import Preprocess
from .llp import LLP, LLPFeatures, told_same_files
from .llp_rows import ERRATA
from .published_tables import SPLITS, told_twice
from .source import DrawnSource, Source
from .world.parsing import ParsedWorld

NAMED = 3
"""Clips without rows that are named."""


class ParsedWorldSource(DrawnSource):
    """Clips of the built-in world, with the textures that are heard and seen."""

    def drawn(self, name: str, clips: int, preprocess: Preprocess) -> ParsedWorld:
        """Returns so many clips of one split."""
        return ParsedWorld(name, clips=clips, seed=self.seed, preprocess=preprocess)

    def describe(self) -> str:
        """Returns which world it is, in words."""
        return f"the built-in world, parsed (seed {self.seed}, {self.clips} training clips): procedural, no real data"


class LLPSource(Source):
    """Clips of a folder in LLP's published layout (`crossmodal.data.llp.LLP`)."""

    preparation = "crossmodal.data.many_videos.prepare_llp"

    def __init__(
        self,
        root: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        wave_rate: int = 32_000,
        errata: Mapping[str, str] = ERRATA,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            root: Folder of the data set.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            wave_rate: Samples per second of the stored waves.
            errata: Name in the table of heard events → name that is meant; `{}` reads the older version as it stands.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.root, self.wave_rate, self.errata = Path(root), wave_rate, dict(errata)

    def split(self, name: str) -> LLP:
        """Returns the clips of one split."""
        return LLP(self.root, name, self.preprocess, wave_rate=self.wave_rate, errata=self.errata)

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the data set {self.root}"

    def ready(self) -> Sequence[str]:
        """Returns sentences about clips without events, events without clips, and clips that stand twice."""
        of_splits = {name: [row.name for row in self.split(name).rows] for name in SPLITS}
        doubled = [*told_twice(of_splits), *told_same_files(of_splits)]
        return [*self._unlisted(), *self._without_clip(of_splits), *doubled]

    def facts(self) -> dict[str, Any]:
        """Returns how many held-out clips have no row in a table of events."""
        return {"clips_without_events": {name: self._lacking(name) for name in ("val", "test")}}

    def _lacking(self, split: str) -> dict[str, int]:
        return {modality: len(names) for modality, names in self.split(split).unlisted().items()}

    def _unlisted(self) -> Sequence[str]:
        said = []
        for name in ("val", "test"):
            items = self.split(name)
            for modality, names in items.unlisted().items():
                if names:
                    said.append(
                        f"{len(names)} of {len(items)} clips of {name} have no row in AVVP_eval_{modality}.csv, so "
                        f"nothing of them counts as {'heard' if modality == 'audio' else 'seen'}: "
                        f"{', '.join(names[:NAMED])}{', …' if len(names) > NAMED else ''}"
                    )
        return said

    def _without_clip(self, of_splits: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Yields sentences about events that no held-out clip has: of a clip that is not listed, or misspelt."""
        known = {name for split in ("val", "test") for name in of_splits[split]}
        for modality, by_clip in self.split("test").events.items():
            if others := [name for name in by_clip if name not in known]:
                named = ", ".join(map(repr, others[:NAMED])) + (", …" if len(others) > NAMED else "")
                count = sum(len(by_clip[name]) for name in others)
                yield (
                    f"{count} rows of AVVP_eval_{modality}.csv are of no clip of val or test and are not read: {named}"
                )


class LLPFeatureSource(LLPSource):
    """Published features of a folder in LLP's layout (`crossmodal.data.llp.LLPFeatures`)."""

    preparation = ""

    def __init__(
        self,
        features: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        seed: int = 0,
        errata: Mapping[str, str] = ERRATA,
        validation: str = "val",
    ):
        """Names the folder.

        Args:
            features: Folder of the data set, whose `LLP_dataset/feats/` is read.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            seed: Seed of the order of the training clips.
            errata: Name in the table of heard events → name that is meant.
            validation: Split on which weights are selected, `"val"` or `"test"`.
        """
        super().__init__(
            features, batch_size=batch_size, workers=workers, seed=seed, errata=errata, validation=validation
        )

    def split(self, name: str) -> LLPFeatures:
        """Returns the features of one split."""
        return LLPFeatures(self.root, name, self.preprocess, errata=self.errata)

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the published features of {self.root}"
