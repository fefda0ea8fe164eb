"""Adapters and sections of encoders that are wrong in one way each, and blocks that are unusual but right."""

import torch
from broken import Sound
from faulty_guidance import Right, SpatialMap
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.adapters import Adapted
from crossmodal.shapes import check_width, shaped

Stream = Float[Tensor, "frame token channel"]


class Modulated(Sound):
    """Multiplies what it writes by its map: keeps all laws."""

    @shaped
    def forward(self, stream: Stream, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Adapted:
        return super().forward(stream, guide)

    def map(self, stream, guide):
        return (stream * self.cue(guide)).sum(-1, keepdim=True).sigmoid()

    def adapted(self, stream, guide):
        where = self.map(stream, guide)
        return Adapted(self.gate(stream.tanh() * (1 + where)), {"spatial": where})


class Normalised(Modulated):
    """Divides its map out again: a norm over channels follows."""

    def adapted(self, stream, guide):
        where = self.map(stream, guide)
        written = nn.functional.layer_norm(stream * (1 + where), stream.shape[-1:])
        return Adapted(self.gate(written), {"spatial": where})


class Unheard(Modulated):
    """Returns a map that it does not use."""

    def adapted(self, stream, guide):
        where = self.map(stream, guide)
        return Adapted(self.gate(stream * self.cue(guide)), {"spatial": where})


class SlightlyBright(Modulated):
    """Its map exceeds one by a ten-thousandth, for loud inputs."""

    def map(self, stream, guide):
        return super().map(stream, guide) * 1.0001


class LoudWhereLoud(Modulated):
    """Is silent at first for all but loud streams."""

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        return Adapted(residual + (stream.abs() > 10) * stream, maps)


class IgnoresGuide(Modulated):
    """Hears no guide."""

    def cue(self, guide):
        return self.project.bias


class IgnoresStream(Sound):
    """Writes the cue wherever the stream is."""

    def adapted(self, stream, guide):
        return Adapted(self.gate(self.cue(guide).expand_as(stream).contiguous()), {})


class FirstTokenEverywhere(Modulated):
    """Writes to all tokens what is meant for the first."""

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        return Adapted(residual[:, :1].expand_as(residual), maps)


class LeaksInTraining(Modulated):
    """Takes the mean of the batch off in training mode."""

    def cue(self, guide):
        cue = super().cue(guide)
        return cue - cue.mean(0) if self.training else cue


class DetachesGuide(Modulated):
    """Passes no gradient to the guide."""

    def cue(self, guide):
        return super().cue(guide.detach())


class ClampsStream(Modulated):
    """Clamps the stream in place."""

    def adapted(self, stream, guide):
        with torch.no_grad():
            stream.clamp_(-1, 1)
        return super().adapted(stream, guide)


class TwoHomes(Modulated):
    """Registers one layer under two names."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.again = self.project


class Half(nn.Module):
    """A section of an encoder."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, stream):
        return stream + self.inner(stream).relu()


class HalfInPlace(Half):
    """Adds to its stream in place."""

    def forward(self, stream):
        return stream.add_(self.inner(stream).relu())


# Unusual, and right.


class StraightThrough(Right):
    """A hard choice whose gradient is the soft one's."""

    def squash(self, logits):
        soft = logits.sigmoid()
        hard = (logits >= logits.topk(max(1, logits.shape[1] // 2), dim=1).values[:, -1:]).to(logits)
        return hard + soft - soft.detach()


class Constant(nn.Module):
    """One everywhere, without weights."""

    def __init__(self, channels, cue_channels):
        super().__init__()
        self.channels, self.cue_channels = channels, cue_channels

    @shaped
    def forward(self, stream: Stream, cue: Float[Tensor, "frame cue_channel"]) -> SpatialMap:
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        return torch.ones_like(stream[..., :1])


class Complex(Right):
    """Holds complex weights."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.query = nn.Linear(channels, 4, dtype=torch.cfloat)

    def logits(self, stream, cue):
        heard = self.query(stream.to(self.query.weight.dtype)).abs()
        return (heard * self.key(cue)[:, None]).sum(-1, keepdim=True)


class Parametrized(Right):
    """Normalises a weight by torch's own parametrization."""

    def __init__(self, channels, cue_channels, *, norm=nn.utils.parametrizations.weight_norm):
        super().__init__(channels, cue_channels)
        self.query = norm(self.query)


class Batchwise(Right):
    """Batch norm of a transposed stream."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.norm = nn.BatchNorm1d(4)

    def logits(self, stream, cue):
        return (self.norm(self.query(stream).mT).mT * self.key(cue)[:, None]).sum(-1, keepdim=True)


class Recurrent(Right):
    """Reads the cues of a clip by torch's GRU."""

    segments = 3

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.read = nn.GRU(cue_channels, cue_channels, batch_first=True)

    def logits(self, stream, cue):
        read, _ = self.read(cue.unflatten(0, (-1, self.segments)))
        return super().logits(stream, read.flatten(0, 1))


class Dropping(Right):
    """Drops out."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.drop = nn.Dropout(0.5)

    def logits(self, stream, cue):
        return self.drop(super().logits(stream, cue))


class Lazy(Right):
    """Has no sizes before its first call."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.query = nn.LazyLinear(4)


class Expanded(Sound):
    """Writes one number to all tokens, as a view."""

    def adapted(self, stream, guide):
        return Adapted(self.gate((self.cue(guide) * stream.mean(1, keepdim=True)).tanh()).expand_as(stream), {})
