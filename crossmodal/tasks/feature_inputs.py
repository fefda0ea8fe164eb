"""Inputs of systems that read features: frozen extractors run once over every clip; the result is cached on disk."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossmodal.checkpoints import FeatureCache
from crossmodal.data.source import Items, Source
from crossmodal.injection import fingerprint

from .task import Clips, Features

SPLITS = ("train", "val", "test")
MEDIA = {"frames": "visual", "others": "visual", "wave": "audio"}
"""Fields of items that extractors read → the extractor's field of `Features`."""


def source_as_read(source: Source, inputs: Clips | Features, folder: Path) -> Source:
    """Returns a source whose items are as a system reads them.

    Args:
        source: Where the clips come from; its `preprocess` becomes that of the inputs.
        inputs: What the system reads.
        folder: Folder of feature caches, for systems that read `Features`.

    Raises:
        ValueError: If the source holds features, and the system reads others, or clips.
    """
    source.preprocess = inputs.preprocess
    if source.features:
        read = inputs.name if isinstance(inputs, Features) else ""
        if read != source.features:
            raise ValueError(
                f"{type(source).__name__}: its items are the features {source.features!r}, but the system reads "
                f"{repr(read) if read else 'clips'}: choose a system and extractors that read them, such as --system "
                "avel --model.visual vgg19 --model.audio vggish."
            )
        return source
    return FeatureSource(source, inputs, folder) if isinstance(inputs, Features) else source


@torch.no_grad()
def extract_features(batch: Any, inputs: Features) -> Any:
    """Returns a batch whose pictures and sounds are the features of the extractors.

    Args:
        batch: Batch with `frames` `(item, segment, 3, height, width)` and `wave` `(item, segment, sample)`; `others`,
            frames of other clips, are extracted, too, where there are any.
        inputs: The extractors.
    """
    found = {}
    for name in (name for name in MEDIA if name in batch._fields):
        given, extractor = getattr(batch, name), getattr(inputs, MEDIA[name])
        device = next(iter(extractor.parameters()), given).device
        # one by one: a feature on the disk must not depend on what else was in a batch
        found[name] = torch.stack([extractor.eval()(item.to(device)).to(given.device) for item in given])
    return batch._replace(**found)


class FeatureItems(Dataset[Any]):
    """Items of a split with cached features in the place of frames and wave; neither is decoded again."""

    def __init__(self, items: Items, cache: FeatureCache, split: str):
        """Names what is read.

        Args:
            items: Items of the split; their first one says what an item is made of.
            cache: Filled cache.
            split: Name of the split.
        """
        self.items, self.cache, self.split = items, cache, split
        self.names = items.names
        self.kind: Any = type(items[0])

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary."""
        return self.items.classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        found = self.cache.read(_key(self.split, self.names[index]))
        return self.kind(**{name: found[name] for name in self.kind._fields})


class FeatureSource(Source):
    """A source whose items carry features: extracted with a progress bar before training, once for all runs."""

    def __init__(self, source: Source, inputs: Features, folder: Path):
        """Opens the cache.

        Args:
            source: Where the clips come from.
            inputs: The extractors.
            folder: Folder of caches; each has a name that follows from all that determines the features.
        """
        super().__init__(
            batch_size=source.batch_size, workers=source.workers, seed=source.seed, validation=source.validation
        )
        self.source, self.inputs = source, inputs
        facts = _facts(source, inputs)
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
        self.cache = FeatureCache(folder / f"{inputs.name}-{digest}", facts)

    def split(self, name: str) -> FeatureItems:
        """Returns the items of one split."""
        return FeatureItems(self.source.split(name), self.cache, name)

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary of the data."""
        return self.source.classes

    def describe(self) -> str:
        """Returns where the items come from, in words."""
        return self.source.describe()

    def ready(self) -> Sequence[str]:
        """Extracts the features that the cache lacks; returns sentences about what was read."""
        said = [*self.source.ready()]
        done = sum(self._fill(split) for split in SPLITS)
        return [*said, f"features {self.inputs.name} in {self.cache.folder}/: {done} clips extracted"]

    def left_out(self) -> dict[str, str]:
        """Returns file → reason for the files that cannot be read."""
        return self.source.left_out()

    def facts(self) -> dict[str, Any]:
        """Returns facts about the items for a run's summary."""
        return {**self.source.facts(), "features": str(self.cache.folder)}

    def _fill(self, split: str) -> int:
        """Extracts what the cache lacks of one split; returns how many clips these were."""
        from tqdm import tqdm

        items = self.source.split(split)
        missing = set(self.cache.missing(_key(split, name) for name in items.names))
        todo = [index for index, name in enumerate(items.names) if _key(split, name) in missing]
        for index in tqdm(todo, desc=f"features of {split}", unit="clip", disable=not todo):
            item: Any = items[index]
            batch = type(item)(*(field[None] for field in item))
            found = extract_features(batch, self.inputs)
            self.cache.add(_key(split, items.names[index]), _unbatched(found))
        return len(todo)


def _facts(source: Source, inputs: Features) -> Mapping[str, str]:
    """Returns all that determines the features."""
    prints = {name: fingerprint(module) for name, module in (("visual", inputs.visual), ("audio", inputs.audio))}
    return {"name": inputs.name, "source": source.describe(), "preprocess": repr(inputs.preprocess), **prints}


def _unbatched(batch: Any) -> dict[str, Tensor]:
    """Returns the fields of a batch of one item."""
    return {name: value[0] for name, value in zip(batch._fields, batch, strict=True)}


def _key(split: str, name: str) -> str:
    """Returns the name of an item in the cache."""
    return f"{split}/{name}"
