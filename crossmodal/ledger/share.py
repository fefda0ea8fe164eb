"""What one part of a model costs: five numbers that add up."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Share:
    """The cost of one part of a model, or of several: shares can be added.

    - `parameters`: all of them; `trained`: those that take a gradient.
    - `forward`, `backward`: floating-point operations of matrix products, convolutions and attention, a multiplication
      and an addition being two. What a checkpoint computes anew counts in `backward`.
    - `saved`: bytes kept from the forward for the backward.
    """

    parameters: int = 0
    trained: int = 0
    forward: int = 0
    backward: int = 0
    saved: int = 0

    @property
    def step(self) -> int:
        """Floating-point operations of a training step: forward and backward."""
        return self.forward + self.backward

    def __add__(self, other: "Share") -> "Share":
        return Share(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))
