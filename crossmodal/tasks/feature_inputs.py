"""Inputs of systems that read features: frozen extractors run once over every clip; the result is cached on disk."""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from crossmodal.checkpoints import FeatureCache
from crossmodal.data.published_tables import SPLITS
from crossmodal.data.source import Items, Source
from crossmodal.data.stamps import item_stamp
from crossmodal.injection import architecture_digest, fingerprint

from .task import Clips, Features

MEDIA = {"frames": "visual", "others": "visual", "wave": "audio"}
"""Fields of items that extractors read → the extractor's field of `Features`."""
STAMP = "#stamp-"


def source_as_read(source: Source, inputs: Clips | Features, folder: Path, *, splits: Sequence[str] = SPLITS) -> Source:
    """Returns a source whose items are as a system reads them.

    Args:
        source: Where the clips come from; its `preprocess` becomes that of the inputs.
        inputs: What the system reads.
        folder: Folder of feature caches, for systems that read `Features`.
        splits: Those of which features are extracted.

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
    return FeatureSource(source, inputs, folder, splits=splits) if isinstance(inputs, Features) else source


def extract_features(batch: Any, inputs: Features) -> Any:
    """Returns a batch whose pictures and sounds are the features of the extractors.

    Args:
        batch: Batch with `frames` `(item, segment, 3, height, width)` and `wave` `(item, segment, sample)`; `others`,
            frames of other clips, are extracted, too, where there are any.
        inputs: The extractors.
    """
    given = {name: getattr(batch, name) for name in MEDIA if name in batch._fields}
    # one by one: a feature on the disk must not depend on what else was in a batch
    return batch._replace(
        **{name: torch.stack([_feature(name, item, inputs) for item in items]) for name, items in given.items()}
    )


@torch.no_grad()
def _feature(name: str, item: Tensor, inputs: Features) -> Tensor:
    """Returns what an extractor makes of one field of one item."""
    extractor = getattr(inputs, MEDIA[name])
    device = next(iter(extractor.parameters()), item).device
    found: Tensor = extractor.eval()(item.to(device)).to(item.device)
    return found


class FeatureItems(Dataset[Any]):
    """Items of a split with cached features in the place of frames and wave; neither is decoded again."""

    def __init__(self, items: Items, cache: FeatureCache, keys: Sequence[str]):
        """Names what is read.

        Args:
            items: Items of the split; their first one says what an item is made of.
            cache: Filled cache.
            keys: Name of every item in the cache, as `item_keys` returns them.
        """
        self.items, self.cache, self.keys = items, cache, keys
        self.names = items.names
        self.kind: Any = type(items[0])

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary."""
        return self.items.classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        found = self.cache.read(self.keys[index])
        return self.kind(**{name: found[name] for name in self.kind._fields})


class FeatureSource(Source):
    """A source whose items carry features: extracted with a progress bar before training, once for all runs.

    An item is found by its name and its stamp: another film, other seconds, other labels or another decoder make it
    another item, and it alone is extracted anew. What was extracted before stays in the cache.
    """

    def __init__(self, source: Source, inputs: Features, folder: Path, *, splits: Sequence[str] = SPLITS):
        """Opens the cache.

        Args:
            source: Where the clips come from.
            inputs: The extractors.
            folder: Folder of caches; each has a name that follows from all that determines the features.
            splits: Those that `ready` extracts.
        """
        super().__init__(
            batch_size=source.batch_size, workers=source.workers, seed=source.seed, validation=source.validation
        )
        self.source, self.inputs, self.splits = source, inputs, tuple(splits)
        facts = _facts(source, inputs)
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
        self.cache = FeatureCache(folder / f"{inputs.name}-{digest}", facts)
        self.keys: dict[str, list[str]] = {}

    def split(self, name: str) -> FeatureItems:
        """Returns the items of one split."""
        items = self.source.split(name)
        if name not in self.keys:  # once: what changes during a training must not change its items
            self.keys[name] = item_keys(items, name)
        return FeatureItems(items, self.cache, self.keys[name])

    def groups(self) -> Sequence[Hashable] | None:
        """Returns the groups of the source."""
        return self.source.groups()

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
        if "train" in self.splits and (drawn := getattr(self.source.split("train"), "drawn_anew", "")):
            said.append(f"{drawn} stay those of the first epoch, not drawn anew in each: features are extracted once")
        self.keys = {}
        earlier = {*map(_unstamped, self.cache.names())}
        done = [key for split in self.splits for key in self._fill(split)]
        anew = [key for key in done if _unstamped(key) in earlier]
        why = f", {len(anew)} of them anew: their media, labels or options changed" if anew else ""
        return [*said, f"features {self.inputs.name} in {self.cache.folder}/: {len(done)} clips extracted{why}"]

    def left_out(self) -> dict[str, str]:
        """Returns file → reason for the files that cannot be read."""
        return self.source.left_out()

    def facts(self) -> dict[str, Any]:
        """Returns facts about the items for a run's summary."""
        return {**self.source.facts(), "features": str(self.cache.folder)}

    def _fill(self, split: str) -> list[str]:
        """Extracts what the cache lacks of one split; returns the keys of these clips."""
        from tqdm import tqdm

        items, keys = self.source.split(split), self.split(split).keys
        missing = set(self.cache.missing(keys))
        todo = [index for index, key in enumerate(keys) if key in missing]
        last: dict[str, tuple[Tensor, Tensor]] = {}  # questions about one clip often stand next to each other
        for index in tqdm(todo, desc=f"features of {split}", unit="clip", disable=not todo):
            item: dict[str, Tensor] = cast(Any, items[index])._asdict()
            for name in MEDIA.keys() & item.keys():
                if name not in last or not torch.equal(last[name][0], item[name]):
                    last[name] = item[name], _feature(name, item[name], self.inputs)
            self.cache.add(keys[index], {**item, **{name: found for name, (_, found) in last.items()}})
        return [keys[index] for index in todo]


def _facts(source: Source, inputs: Features) -> Mapping[str, str]:
    """Returns all that determines the features."""
    extractors = (("visual", inputs.visual), ("audio", inputs.audio))
    prints = {name: fingerprint(module) for name, module in extractors}
    built = {f"architecture {name}": architecture_digest(module) for name, module in extractors}
    return {"name": inputs.name, "source": source.describe(), "preprocess": repr(inputs.preprocess), **prints, **built}


def item_keys(items: Items, split: str) -> list[str]:
    """Returns the name of every item in a cache: split, name and stamp."""
    return [f"{split}/{name}{STAMP}{item_stamp(items, index)}" for index, name in enumerate(items.names)]


def _unstamped(key: str) -> str:
    """Returns what keys of one item have in common, whatever its stamp."""
    return key.rpartition(STAMP)[0] + STAMP
