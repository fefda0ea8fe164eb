"""Features of labelled segments before and after guidance: their t-SNE, and how well classes separate in them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crossmodal.data.extras import need
from crossmodal.data.source import Items
from crossmodal.injection import Encoder
from crossmodal.metrics.segments import majority_share
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.task import Labelled

from .items import batch_of

KINDS = ("original", "guided")
STREAMS = ("visual", "audio")

Panel = tuple[str, str]
"""Stream and kind of its features."""


class LabelledFeatures(NamedTuple):
    """Features of segments that have a class; of whole clips for a task with one label per clip.

    Attributes:
        features: Stream and kind → `(point, channel)`. `"original"` is the mean over tokens of the frozen encoder,
            which no guide has touched; `"guided"` is what the system's head reads.
        labels: Class of every point.
        clips: Index of its clip.
        segments: Its segment; 0 for a whole clip.
    """

    features: dict[Panel, np.ndarray]
    labels: np.ndarray
    clips: np.ndarray
    segments: np.ndarray

    def of(self, classes: Sequence[int]) -> "LabelledFeatures":
        """Returns the points of some classes, whose labels become their places among them."""
        kept = np.isin(self.labels, classes)
        place = {label: at for at, label in enumerate(classes)}
        labels = np.array([place[label] for label in self.labels[kept].tolist()], dtype=np.int64)
        features = {panel: values[kept] for panel, values in self.features.items()}
        return LabelledFeatures(features, labels, self.clips[kept], self.segments[kept])


class Projection(NamedTuple):
    """One panel of features in the plane, and how well their classes separate.

    Attributes:
        points: t-SNE, `(point, 2)`.
        probe: Accuracy of a linear probe fitted on other clips.
        majority: Accuracy of the most frequent class alone.
        silhouette: Of the classes in the features, not in the plane; in [-1, 1].
    """

    points: np.ndarray
    probe: float
    majority: float
    silhouette: float


@torch.no_grad()
def labelled_features(system: CoupledSystem, task: Labelled, items: Items, count: int) -> Iterator[LabelledFeatures]:
    """Yields the features of the first `count` items, one at a time; background is left out."""
    for index in range(count):
        batch = batch_of(items[index], system)
        labels = task.labels(batch, system.classes)[0].cpu()
        guided = system.pool(batch.frames, batch.wave)
        found = {(stream, "guided"): getattr(guided, stream)[0] for stream in STREAMS}
        found |= {(stream, "original"): values for stream, values in _frozen(system, batch).items()}
        if len(labels) == 1:  # of the whole clip
            found = {panel: values.mean(0, keepdim=True) for panel, values in found.items()}
        shown = (labels != len(system.classes)).numpy()
        yield LabelledFeatures(
            {(stream, kind): _array(found[stream, kind])[shown] for stream in STREAMS for kind in KINDS},
            labels.numpy()[shown],
            np.full(shown.sum(), index),
            np.flatnonzero(shown),
        )


def _frozen(system: CoupledSystem, batch: Any) -> dict[str, Tensor]:
    """Returns the mean over tokens of both encoders by themselves, `(segment, channel)`."""
    inputs = system.stem_inputs(batch.frames, batch.wave)
    streams = {name: _stream(system.coupled.encoder(name), x) for name, x in inputs.items() if x is not None}
    return {
        "visual": system.coupled.encoder("visual").head(streams["visual"]).mean(1),
        "audio": streams["audio"].mean(1),
    }


def _array(values: Tensor) -> np.ndarray:
    """Returns features in double precision."""
    array: np.ndarray = values.cpu().double().numpy()
    return array


def concatenate(parts: Sequence[LabelledFeatures]) -> LabelledFeatures:
    """Returns the features of several items together."""
    features = {panel: np.concatenate([part.features[panel] for part in parts]) for panel in parts[0].features}
    return LabelledFeatures(features, *(np.concatenate([part[at] for part in parts]) for at in (1, 2, 3)))


def most_frequent_classes(labels: np.ndarray, count: int) -> list[int]:
    """Returns the `count` classes with most points, in the order of the classes."""
    classes, points = np.unique(labels, return_counts=True)
    # stable: of equal counts the first classes
    return sorted(classes[np.argsort(-points, kind="stable")[:count]].tolist())


def project(train: LabelledFeatures, asked: LabelledFeatures, panel: Panel, *, seed: int) -> Projection:
    """Projects the features of one panel, standardised by the training clips, on which the probe is fitted too.

    Args:
        train: Features of training clips.
        asked: Features that are projected and scored.
        panel: Stream and kind.
        seed: Seed of t-SNE.

    Raises:
        ValueError: If the training clips know fewer than two classes, or there are no more points than classes.
        ImportError: If scikit-learn is not installed.
    """
    linear, metrics = need("sklearn.linear_model", "figure"), need("sklearn.metrics", "figure")
    scaling, manifold = need("sklearn.preprocessing", "figure"), need("sklearn.manifold", "figure")
    kinds = len(np.unique(asked.labels))
    if len(np.unique(train.labels)) < 2 or not 2 <= kinds < len(asked.labels):
        raise ValueError(
            f"figure: {len(np.unique(train.labels))} classes in {len(train.labels)} training points, {kinds} in "
            f"{len(asked.labels)} asked ones: a probe and a silhouette need two, and more points than classes; take "
            "more clips."
        )
    scaler = scaling.StandardScaler().fit(train.features[panel])
    fitted, scored = scaler.transform(train.features[panel]), scaler.transform(asked.features[panel])
    probe = linear.LogisticRegression(max_iter=2000).fit(fitted, train.labels)
    perplexity = min(30.0, (len(scored) - 1) / 3)  # sklearn's default; it must stay below the number of points
    plane = manifold.TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    return Projection(
        plane.fit_transform(scored),
        float(probe.score(scored, asked.labels)),
        majority_share(torch.from_numpy(asked.labels)).item(),
        float(metrics.silhouette_score(scored, asked.labels)),
    )


def _stream(encoder: Encoder, inputs: Tensor) -> Tensor:
    """Returns the last stream of an encoder by itself."""
    stream = encoder.stem(inputs)
    for name in encoder.names:
        stream = encoder.section(name)(stream)
    return stream
