"""ResNet-18 with a last stage of stride one: the 14 × 14 maps that MUSIC-AVQA's visual features are."""

from pathlib import Path

from .backbone import Rgb, VisualBackbone, fixed_seed, warn_if_random
from .cutting import cut_model
from .libraries import torchvision_model

NAME = "resnet18_14x14"
MEAN: Rgb = (0.43216, 0.394666, 0.37645)
STD: Rgb = (0.22803, 0.22145, 0.216989)
"""Of MUSIC-AVQA's frames."""


def resnet18_14x14(weights: str | Path | None) -> VisualBackbone:
    """Builds torchvision's ResNet-18, whose last stage keeps the grid of the one before; its weights fit.

    Args:
        weights: A file, `"pretrained"` for those of torchvision's hub, or `None` for random ones.
    """
    with fixed_seed():
        headless = torchvision_model("resnet18", weights=weights, size=None, options={})
        first = headless.model.get_submodule("layer4.0")
        for name in ("conv1", "downsample.0"):
            first.get_submodule(name).stride = (1, 1)  # type: ignore[assignment]  # that of a convolution
        encoder, width = cut_model(headless, None, NAME)
    warn_if_random(NAME, headless.trained, "visual")
    return VisualBackbone(encoder, width, headless.size, MEAN, STD)
