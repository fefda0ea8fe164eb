"""Encoders and locksteps that each break one law and keep the others."""

import torch
from torch import nn

from crossmodal.injection import Encoder, Lockstep


class RunsTwice(Encoder):
    """Its first section runs twice."""

    def forward(self, x):
        stream = self.section(self.names[0])(self.stem(x))
        for section in self.sections.values():
            stream = section(stream)
        return self.head(stream)


class Drifting(nn.Module):
    """A section that counts its calls in a buffer, frozen or not."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, stream):
        self.calls.add_(1)
        return self.inner(stream)


class RunsSectionsTwice(Lockstep):
    """Runs every section of a step twice."""

    def _run(self, step, streams, taps, tapped):
        super()._run(step, streams, taps, tapped)
        super()._run(step, streams, taps, tapped)


class TakesAnything(Lockstep):
    """Never looks at the names of its inputs."""

    def _check(self, inputs, taps): ...
