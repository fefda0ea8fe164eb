"""Logits of features against class features."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..shapes import shaped


@shaped
def matched(
    features: Float[Tensor, "item feature"],
    classes: Float[Tensor, "*item label feature"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, "item label"]:
    """Computes logits: the cosine of each feature with each class feature, times a scale.

    Args:
        features: Of frames or sounds.
        classes: Of texts, `(label, feature)` for all items, or `(item, label, feature)`.
        scale: Factor of the cosines.
    """
    unit, of_classes = F.normalize(features, dim=-1), F.normalize(classes, dim=-1)
    cosine: Tensor = (unit[:, None] @ of_classes.mT)[:, 0] if classes.ndim == 3 else unit @ of_classes.mT
    return scale * cosine
