"""Side mode of audio-visual events, and its training from features on disk.

`dg_sct_side` couples as `dg_sct` does, beside the encoders. Then `cache_for`, `fill`, and a training of
`CachedTraining(model)` on `CachedData(data, cache)`: after `fill`, no encoder runs.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import NamedTuple, ParamSpec

from torch import Tensor
from torch.utils.data import Dataset

from crossmodal.checkpoints import FeatureCache, cache_bytes, features_follow_from
from crossmodal.heads import Events
from crossmodal.injection import Lockstep, SideLockstep, side
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish
from crossmodal.tasks.event_training import EventTraining
from crossmodal.training.data_module import ClipData, Clips

P = ParamSpec("P")
LABELS = "labels"


def beside(coupled: Callable[P, Lockstep], *, at_once: int | None = 10) -> Callable[P, SideLockstep]:
    """A recipe such as `dg_sct` in side mode, with the same keywords.

    `at_once`: frames that run through an encoder at a time; a clip's ten, so that it gives the same numbers, bit for
    bit, alone and in a batch.
    """

    @wraps(coupled)
    def made(*args: P.args, **kwargs: P.kwargs) -> SideLockstep:
        return side(coupled(*args, **kwargs), at_once=at_once)

    return made


dg_sct_side, lavish_side = beside(dg_sct), beside(lavish)


class CachedClip(NamedTuple):
    """A clip as a cache holds it: site → `(segment, token, channel)`, and its label a segment."""

    features: dict[str, Tensor]
    labels: Tensor


class CachedClips(Dataset[CachedClip]):
    """The clips of a split, read from a cache; neither frames nor wave are touched."""

    def __init__(self, clips: Clips, cache: FeatureCache, split: str):
        """`clips`: whose names are read. `split`: its name; an id may stand in several with other labels."""
        self.clips, self.cache, self.split = clips, cache, split

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the events."""
        return self.clips.classes

    @property
    def names(self) -> list[str]:
        """A name for every clip."""
        return self.clips.names

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> CachedClip:
        found = self.cache.read(key(self.split, self.names[index]))
        labels = found.pop(LABELS)
        return CachedClip(found, labels)


class CachedData(ClipData):
    """`data`, its clips read from `cache`: fill it first with every split that is asked for."""

    def __init__(self, data: ClipData, cache: FeatureCache):
        super().__init__(batch_size=data.batch_size, workers=data.workers, seed=data.seed, validation=data.validation)
        self.data, self.cache = data, cache

    def split(self, name: str) -> CachedClips:
        """The cached clips of one split."""
        return CachedClips(self.data.split(name), self.cache, name)


class CachedTraining(EventTraining):
    """`EventTraining` on batches of cached clips."""

    def said_of(self, batch: CachedClip) -> Events:
        """What the model says, from the features of its encoders."""
        return events_of(self.model, batch.features)


def events_of(model: AudioVisualEvents, features: Mapping[str, Tensor]) -> Events:
    """What `model`, in side mode, says of clips whose features, `(clip, segment, token, channel)`, are given."""
    clips = len(next(iter(features.values())))
    coupled = in_side_mode(model).beside({site: stream.flatten(0, 1) for site, stream in features.items()})
    return model.head(model.temporal(*model.pooled_from(coupled, clips)))


def cache_for(model: AudioVisualEvents, folder: str, *, source: str, dtype: str = "float32") -> FeatureCache:
    """The cache of the features of `model`, in side mode.

    - `folder`: where it is, or is to be. `dtype`: as in `FeatureCache`.
    - `source`: where the clips come from, such as the root of the data set: names are looked up there.
    """
    facts = {"preprocess": repr(model.preprocess), "sound": repr(model.sound), "classes": " ".join(model.classes)}
    return FeatureCache(folder, features_follow_from(in_side_mode(model), source=source, **facts), dtype=dtype)


def fill(
    cache: FeatureCache, model: AudioVisualEvents, clips: Clips, split: str, *, process: int = 0, processes: int = 1
) -> int:
    """Runs the encoders once over every clip that the cache has not; returns how many these were.

    Says first how much room they take. What is interrupted goes on where it was. `process` of `processes` does its
    share of the clips, each on a device of its own, say.
    """
    from tqdm import tqdm

    coupled, names = in_side_mode(model), clips.names
    missing = set(cache.missing(key(split, name) for name in names))
    own = [index for index, name in enumerate(names) if key(split, name) in missing][process::processes]
    device = next(model.parameters()).device
    for index in tqdm(own, desc=f"features of {split}{room(cache, coupled, clips, own)}", unit="clip"):
        clip = clips[index]
        features = coupled.read(model.inputs(clip.frames[None].to(device), clip.wave[None].to(device)))
        cache.add(key(split, names[index]), {**features, LABELS: clip.labels})
    return len(own)


def room(cache: FeatureCache, coupled: SideLockstep, clips: Clips, own: list[int]) -> str:
    """`" (0.344 GB)"`: what so many clips take, each as long as the first of them; nothing where there is none."""
    frames = len(clips[own[0]].frames) * len(own) if own else 0
    return f" ({cache_bytes(coupled, frames, dtype=cache.facts['dtype']) / 1e9:.3g} GB)" if own else ""


def key(split: str, name: str) -> str:
    """The name of a clip in a cache."""
    return f"{split}/{name}"


def in_side_mode(model: AudioVisualEvents) -> SideLockstep:
    """The model's lockstep. Raises `ValueError` where it is not in side mode."""
    if not isinstance(model.coupled, SideLockstep):
        raise ValueError(
            f"side mode: the model is coupled by a {type(model.coupled).__name__}, whose encoders say something else "
            "as soon as its couplers have learned: build it with coupled=dg_sct_side, say."
        )
    return model.coupled
