"""Importers of feature extractors: Keras' VGG-19, torchvggish's VGGish, torchvision's ResNets."""

import re

from torch import Tensor, nn

from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .rules import CLASSIFIER, Dropped, Mapped, rename_rule

KERAS_NAME = re.compile(r"block(\d)_conv(\d)\.(kernel|bias)")
KERAS_TOP = ("fc1.", "fc2.", "predictions.")
VGGISH_NAMES = {
    "features.0": "stem.body.0",
    "features.3": "sections.stages1.body.0",
    "features.6": "sections.stages2.body.0",
    "features.8": "sections.stages2.body.2",
    "features.11": "sections.stages3.body.0",
    "features.13": "sections.stages3.body.2",
    "embeddings.0": "sections.embedding.layers.0",
    "embeddings.2": "sections.embedding.layers.2",
    "embeddings.4": "sections.embedding.layers.4",
}


def import_vgg19(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads Keras' VGG-19 into `encoder`, as `crossmodal.encoders.vgg19` builds it.

    Keras trained it on BGR; the first kernel is turned round, so that the encoder takes RGB. torchvision's VGG-19 has
    other weights, trained anew with another normalisation: it is refused.

    Args:
        encoder: The encoder to fill.
        weights: `vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5`, or the file with its classifier; or what else
            `read_weights` takes, by the names `block1_conv1.kernel`, `block1_conv1.bias`.

    Raises:
        ValueError: With a table, and `encoder` as it was, if a tensor is missing, left over or of another shape.
    """
    return load_strict(encoder, read_weights(weights), keras_vgg19_rule, layout="Keras VGG-19", importer="import_vgg19")


def keras_vgg19_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of Keras' VGG-19."""
    if name.startswith(KERAS_TOP):
        return CLASSIFIER
    if not (match := KERAS_NAME.fullmatch(name)):
        return None
    block, conv, kind = int(match[1]), int(match[2]), match[3]
    module = "stem" if block == 1 else f"sections.stages{block - 1}"
    if kind == "kernel" and tensor.dim() == 4:
        tensor = tensor.permute(3, 2, 0, 1)
        tensor = tensor.flip(1) if (block, conv) == (1, 1) else tensor
    return {f"{module}.body.{2 * conv - 2}.{'weight' if kind == 'kernel' else 'bias'}": tensor}


def import_vggish(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads torchvggish's VGGish into `encoder`, as `crossmodal.encoders.vggish` builds it.

    Args:
        encoder: The encoder to fill.
        weights: `vggish-10086976.pth`, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, and `encoder` as it was, if a tensor is missing, left over or of another shape.
    """
    return load_strict(encoder, read_weights(weights), vggish_rule, layout="torchvggish", importer="import_vggish")


def vggish_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of torchvggish."""
    if name.startswith("pproc."):
        return Dropped("the PCA, which the published features do without")
    return rename_rule(VGGISH_NAMES)(name, tensor)


def import_torchvision(vectors: nn.Module, weights: Weights) -> Imported:
    """Loads a file of torchvision into `FrameVectors` or `SecondVectors`; its classifier is dropped.

    Args:
        vectors: The extractor to fill.
        weights: `resnet152-394f9c45.pth`, `r2plus1d_18-91a641e6.pth`, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, and `vectors` as they were, if a tensor is missing, left over or of another shape.
    """
    return load_strict(
        vectors, read_weights(weights), _torchvision_rule, layout="torchvision", importer="import_torchvision"
    )


def _torchvision_rule(name: str, tensor: Tensor) -> Mapped:
    return CLASSIFIER if name.startswith("fc.") else {f"model.{name}": tensor}
