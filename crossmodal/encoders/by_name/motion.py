"""Features of motion of films: R(2+1)D-18 on eight pictures of every second, as LLP's authors made them."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.checkpoints import read_weights
from crossmodal.checkpoints.extractors import import_torchvision
from crossmodal.data import Preprocess
from crossmodal.data.film_windows import MovingPictures
from crossmodal.encoders import SecondVectors
from crossmodal.injection import freeze

KINETICS = Preprocess(112, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
"""Size and normalisation of torchvision's video networks, without their cut: LLP's pictures were resized directly."""


PICTURES = MovingPictures(KINETICS)


class MotionFeatures(nn.Module):
    """Computes a vector of motion per second of a film: `(segment, picture, 3, row, column)` → `(segment, channel)`.

    The published features are those of `r2plus1d_18-91a641e6.pth`, but for the decoder and the resizing of pictures.
    """

    def __init__(self, network: nn.Module, pictures: MovingPictures = PICTURES):
        """Freezes the network.

        Args:
            network: Pictures of seconds → vectors, such as `SecondVectors`.
            pictures: What it sees of a second.
        """
        super().__init__()
        self.network, self.pictures = freeze(network), pictures

    @torch.no_grad()
    def forward(self, pictures: Float[Tensor, "segment picture 3 row column"]) -> Float[Tensor, "segment channel"]:
        """Computes the vectors."""
        vectors: Tensor = self.network(pictures)
        return vectors


def motion_features(weights: str | Path) -> MotionFeatures:
    """Builds R(2+1)D-18 with weights of torchvision.

    Args:
        weights: `r2plus1d_18-91a641e6.pth`, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, if the file is of another network.
    """
    network = SecondVectors()
    import_torchvision(network, read_weights(weights))
    return MotionFeatures(network)
