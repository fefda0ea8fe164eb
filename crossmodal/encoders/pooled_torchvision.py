"""Vectors of torchvision's ResNets and video ResNets: LLP's features, and others of their kind."""

from importlib import import_module

from jaxtyping import Float
from torch import Tensor, nn

from ..shapes import shaped


class FrameVectors(nn.Module):
    """Computes a vector per frame by a ResNet without its classifier: `(frame, 3, row, column)` → `(frame, channel)`.

    LLP's are `resnet152` with torchvision's first weights: the short side resized to 256, the centre of 224 cut out,
    ImageNet's mean and deviation.
    """

    def __init__(self, name: str = "resnet152"):
        """Builds the network with random weights; `import_torchvision` fills it.

        Args:
            name: A ResNet of torchvision.
        """
        super().__init__()
        self.model = _without_classifier(name)

    @shaped
    def forward(self, frames: Float[Tensor, "frame 3 row column"]) -> Float[Tensor, "frame channel"]:
        """Computes the vectors."""
        return self.model(frames)


class SecondVectors(nn.Module):
    """Computes a vector per second from its frames by a video ResNet without its classifier.

    LLP's are `r2plus1d_18` with torchvision's weights of Kinetics-400: 8 frames a second, resized to 112×112 without
    keeping the aspect, mean (0.43216, 0.394666, 0.37645), deviation (0.22803, 0.22145, 0.216989).

    Shapes: `(second, frame, 3, row, column)` → `(second, channel)`.
    """

    def __init__(self, name: str = "r2plus1d_18"):
        """Builds the network with random weights; `import_torchvision` fills it.

        Args:
            name: A video ResNet of torchvision.
        """
        super().__init__()
        self.model = _without_classifier(name)

    @shaped
    def forward(self, frames: Float[Tensor, "second frame 3 row column"]) -> Float[Tensor, "second channel"]:
        """Computes the vectors."""
        return self.model(frames.transpose(1, 2))


def _without_classifier(name: str) -> nn.Module:
    """Builds a network of torchvision whose classifier `fc` passes what it is given."""
    models = import_module("torchvision.models")
    model: nn.Module = models.get_model(name, weights=None)
    if not isinstance(getattr(model, "fc", None), nn.Linear):
        raise ValueError(f"torchvision's {name!r} has no classifier named fc, as its ResNets have: take one of them.")
    model.fc = nn.Identity()
    return model
