"""Training of coupled systems in side mode from features on disk: after `fill_cache`, no encoder runs.

Build a system with `coupling=dg_sct_side` (`crossmodal.recipes.side_tuning`), then `open_cache`, `fill_cache`, and a
training of `CachedTraining(system, task)` on `CachedSource(source, cache)`.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.data import Dataset

from crossmodal.checkpoints import FeatureCache, cache_bytes, features_follow_from
from crossmodal.data.source import Items, Source
from crossmodal.heads import Events
from crossmodal.injection import SideLockstep
from crossmodal.tasks.event_system import AudioVisualEvents
from crossmodal.tasks.feature_inputs import item_keys

from .lightning_module import SystemTraining

LABELS = "labels"


class CachedClip(NamedTuple):
    """A clip as a cache holds it.

    Attributes:
        features: Site → stream `(segment, token, channel)`.
        labels: Class of every segment.
    """

    features: dict[str, Tensor]
    labels: Tensor


class CachedClips(Dataset[CachedClip]):
    """Clips of a split, read from a cache; neither frames nor wave are touched."""

    def __init__(self, items: Items, cache: FeatureCache, split: str):
        """Names what is read.

        Args:
            items: Data set whose names and stamps are read.
            cache: Filled cache.
            split: Name of the split; an id may stand in several with other labels.
        """
        self.items, self.cache, self.keys = items, cache, item_keys(items, split)

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary."""
        return self.items.classes

    @property
    def names(self) -> list[str]:
        """Name of every clip."""
        return self.items.names

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> CachedClip:
        found = self.cache.read(self.keys[index])
        labels = found.pop(LABELS)
        return CachedClip(found, labels)


class CachedSource(Source):
    """A source whose clips are read from a cache: fill it first with every split that is asked for."""

    def __init__(self, source: Source, cache: FeatureCache):
        """Wraps a source.

        Args:
            source: Where names and labels come from.
            cache: Cache of `open_cache`.
        """
        super().__init__(
            batch_size=source.batch_size, workers=source.workers, seed=source.seed, validation=source.validation
        )
        self.source, self.cache = source, cache

    def split(self, name: str) -> CachedClips:
        """Returns the cached clips of one split."""
        return CachedClips(self.source.split(name), self.cache, name)

    def groups(self) -> Sequence[Hashable] | None:
        """Returns the groups of the source."""
        return self.source.groups()


class CachedTraining(SystemTraining):
    """`SystemTraining` on batches of cached clips."""

    def forward_batch(self, batch: CachedClip) -> Events:
        """Computes the system's outputs from the features of its encoders."""
        return score_features(self.system, batch.features)


def score_features(system: Any, features: Mapping[str, Tensor]) -> Events:
    """Computes the events of clips from cached features.

    Args:
        system: `AudioVisualEvents` in side mode.
        features: Site → `(clip, segment, token, channel)`.
    """
    clips = len(next(iter(features.values())))
    coupled = side_lockstep(system).beside({site: stream.flatten(0, 1) for site, stream in features.items()})
    events: Events = system.head(system.temporal(*system.pool_streams(coupled, clips)))
    return events


def open_cache(system: AudioVisualEvents, folder: str, *, source: str, dtype: str = "float32") -> FeatureCache:
    """Opens the cache of the features of a system in side mode.

    Args:
        system: System whose encoders are run.
        folder: Where the cache is, or is to be.
        source: Where the clips come from, such as the root of the data set: names are looked up there.
        dtype: Dtype on disk, as in `FeatureCache`.
    """
    facts = {"preprocess": repr(system.preprocess), "sound": repr(system.sound), "classes": " ".join(system.classes)}
    return FeatureCache(folder, features_follow_from(side_lockstep(system), source=source, **facts), dtype=dtype)


def fill_cache(
    cache: FeatureCache, system: AudioVisualEvents, items: Items, split: str, *, process: int = 0, processes: int = 1
) -> int:
    """Runs the encoders once over every clip that the cache lacks, with a progress bar.

    The bar says first how much room they take. What is interrupted goes on where it was. A clip whose media, labels or
    options changed is another clip (`crossmodal.data.stamps`) and is computed anew.

    Args:
        cache: Cache of `open_cache`.
        system: System in side mode.
        items: Clips of the split.
        split: Name of the split.
        process: Which of `processes` this one is; each does its share, on a device of its own, say.
        processes: How many there are.

    Returns:
        How many clips were run.
    """
    from tqdm import tqdm

    coupled, keys = side_lockstep(system), item_keys(items, split)
    missing = set(cache.missing(keys))
    # dealt out, so that no two processes compute the same clip
    own = [index for index, key in enumerate(keys) if key in missing][process::processes]
    device = next(system.parameters()).device
    for index in tqdm(own, desc=f"features of {split}{_room(cache, coupled, items, own)}", unit="clip"):
        clip: Any = items[index]
        inputs = system.stem_inputs(clip.frames[None].to(device), clip.wave[None].to(device))
        features = coupled.read({name: given for name, given in inputs.items() if given is not None})
        cache.add(keys[index], {**features, LABELS: clip.labels})
    return len(own)


def side_lockstep(system: Any) -> SideLockstep:
    """Returns the system's lockstep.

    Raises:
        ValueError: If it is not in side mode.
    """
    if not isinstance(system.coupled, SideLockstep):
        raise ValueError(
            f"side mode: the model is coupled by a {type(system.coupled).__name__}, whose encoders say something else "
            "as soon as its couplers have learned: build it with coupling=dg_sct_side, say."
        )
    return system.coupled


def _room(cache: FeatureCache, coupled: SideLockstep, items: Items, own: list[int]) -> str:
    """Returns the size on disk of these clips, each as long as the first, `" (0.344 GB)"`; nothing for no clips."""
    if not own:
        return ""
    first: Any = items[own[0]]
    frames = len(first.frames) * len(own)
    return f" ({cache_bytes(coupled, frames, dtype=cache.facts['dtype']) / 1e9:.3g} GB)"
