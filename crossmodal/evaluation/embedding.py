"""Features of seconds before and after guidance: where they lie, and how well classes are told apart in them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from crossmodal.data.extras import need
from crossmodal.injection import Encoder
from crossmodal.recipes.ave.dg_sct import AudioVisualEvents
from crossmodal.training.data_module import Clips

KINDS = ("original", "guided")
STREAMS = ("visual", "audio")


class Seconds(NamedTuple):
    """Seconds of clips that show an event.

    - `features`: `(stream, kind)` → `(second, channel)`: `"original"` is the mean over tokens of the frozen encoder,
      which no guide has touched; `"guided"` is what the model's head reads.
    - `labels`: class of every second. `clips`, `segments`: where it stands.
    """

    features: dict[tuple[str, str], np.ndarray]
    labels: np.ndarray
    clips: np.ndarray
    segments: np.ndarray

    def of(self, classes: Sequence[int]) -> "Seconds":
        """Those of some classes, whose labels become their places among them."""
        kept = np.isin(self.labels, classes)
        place = {label: at for at, label in enumerate(classes)}
        labels = np.array([place[label] for label in self.labels[kept].tolist()], dtype=np.int64)
        features = {panel: values[kept] for panel, values in self.features.items()}
        return Seconds(features, labels, self.clips[kept], self.segments[kept])


class Placed(NamedTuple):
    """A panel: where the seconds lie, and how well their classes are told apart in the features.

    - `points`: t-SNE, `(second, 2)`.
    - `probe`: accuracy of a linear probe fitted on other clips. `majority`: of the most frequent class alone.
    - `silhouette`: of the classes in the features, not in the plane; in [-1, 1].
    """

    points: np.ndarray
    probe: float
    majority: float
    silhouette: float


@torch.no_grad()
def clip_by_clip(model: AudioVisualEvents, clips: Clips, count: int) -> Iterator[Seconds]:
    """The seconds with an event of the first `count` clips."""
    like, background = next(model.parameters()), len(model.classes)
    for index in range(count):
        clip = clips[index]
        frames, wave = clip.frames.to(like), clip.wave.to(like)
        guided = model.pooled(frames[None], wave[None])
        pictures = _stream(model.coupled.encoder("visual"), frames)
        original = {
            "visual": model.coupled.encoder("visual").head(pictures).mean(1),
            "audio": _stream(model.coupled.encoder("audio"), model.sound(wave)).mean(1),
        }
        shown = (clip.labels != background).numpy()
        found = {(stream, "original"): original[stream] for stream in STREAMS}
        found |= {(stream, "guided"): rearrange(getattr(guided, stream), "1 s c -> s c") for stream in STREAMS}
        yield Seconds(
            {panel: values.cpu().double().numpy()[shown] for panel, values in found.items()},
            clip.labels.numpy()[shown],
            np.full(shown.sum(), index),
            np.flatnonzero(shown),
        )


def joined(parts: Sequence[Seconds]) -> Seconds:
    """The seconds of several clips."""
    features = {panel: np.concatenate([part.features[panel] for part in parts]) for panel in parts[0].features}
    return Seconds(features, *(np.concatenate([part[at] for part in parts]) for at in (1, 2, 3)))


def commonest(labels: np.ndarray, count: int) -> list[int]:
    """The `count` classes with most seconds, in the order of the classes."""
    found, seconds = np.unique(labels, return_counts=True)
    return sorted(found[np.argsort(-seconds, kind="stable")[:count]].tolist())


def majority(labels: np.ndarray) -> float:
    """The share of the most frequent class."""
    return float(np.bincount(labels).max() / len(labels))


def place(train: Seconds, asked: Seconds, panel: tuple[str, str], *, seed: int) -> Placed:
    """Places the features of one panel, standardised by the training clips, on which the probe is fitted too.

    Raises `ValueError` where the training seconds know fewer than two classes, or fewer than three seconds are asked.
    """
    linear, metrics = need("sklearn.linear_model", "ave figure"), need("sklearn.metrics", "ave figure")
    scaling, manifold = need("sklearn.preprocessing", "ave figure"), need("sklearn.manifold", "ave figure")
    kinds = len(np.unique(asked.labels))
    if len(np.unique(train.labels)) < 2 or not 2 <= kinds < len(asked.labels):
        raise ValueError(
            f"ave figure: {len(np.unique(train.labels))} classes in {len(train.labels)} training seconds, {kinds} in "
            f"{len(asked.labels)} asked ones: a probe and a silhouette need two, and more seconds than classes; take "
            "more clips."
        )
    scaler = scaling.StandardScaler().fit(train.features[panel])
    given, told = scaler.transform(train.features[panel]), scaler.transform(asked.features[panel])
    probe = linear.LogisticRegression(max_iter=2000).fit(given, train.labels)
    perplexity = min(30.0, (len(told) - 1) / 3)
    plane = manifold.TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    return Placed(
        plane.fit_transform(told),
        float(probe.score(told, asked.labels)),
        majority(asked.labels),
        float(metrics.silhouette_score(told, asked.labels)),
    )


def _stream(encoder: Encoder, x: Tensor) -> Tensor:
    """The last stream of an encoder by itself."""
    stream = encoder.stem(x)
    for name in encoder.names:
        stream = encoder.section(name)(stream)
    return stream
