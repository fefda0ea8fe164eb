"""Guidance that is wrong in one way each: the faults that users of such blocks have reported."""

import random
import time
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.shapes import check_width, shaped

Stream = Float[Tensor, "frame token channel"]
Cue = Float[Tensor, "frame cue_channel"]
SpatialMap = Float[Tensor, "frame token 1"]


class Right(nn.Module):
    """Scores tokens by a product with the cue: keeps all laws."""

    def __init__(self, channels, cue_channels):
        super().__init__()
        self.query, self.key = nn.Linear(channels, 4), nn.Linear(cue_channels, 4)
        self.channels, self.cue_channels = channels, cue_channels

    @shaped
    def forward(self, stream: Stream, cue: Cue) -> Float[Tensor, "frame #token #channel"]:
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        return self.map(stream, cue)

    def map(self, stream, cue):
        return self.squash(self.logits(stream, cue))

    def logits(self, stream, cue):
        return (self.query(stream) * self.key(cue)[:, None]).sum(-1, keepdim=True)

    def squash(self, logits):
        return logits.sigmoid()


class BatchStatistics(Right):
    """Normalises by the batch in evaluation too."""

    def logits(self, stream, cue):
        logits = super().logits(stream, cue)
        return (logits - logits.mean()) / (logits.var(correction=0) + 1e-5).sqrt()


class AboveOne(Right):
    """Exceeds one by a millionth."""

    def squash(self, logits):
        return logits.sigmoid() * 1.000001


class AboveOneBetween(Right):
    """Exceeds one between two thresholds."""

    def squash(self, logits):
        return torch.where(logits.abs().gt(50) & logits.abs().lt(60), 1.5, logits.sigmoid())


class OverflowingMap(Right):
    """Overflows for loud inputs."""

    def squash(self, logits):
        return logits.exp() / (1 + logits.exp())


class OrderedAbove24(Right):
    """Knows the order of more than 24 tokens."""

    def logits(self, stream, cue):
        tokens = stream.shape[1]
        return super().logits(stream, cue) + (tokens > 24) * torch.arange(tokens)[:, None].to(stream) / 10


class IgnoresCue(Right):
    """Hears no cue."""

    def logits(self, stream, cue):
        return self.query(stream).sum(-1, keepdim=True)


class IgnoresStream(Right):
    """Hears no stream."""

    def logits(self, stream, cue):
        return self.key(cue).sum(-1)[:, None, None].expand(-1, stream.shape[1], -1)


class LeaksFromFourthClip(Right):
    """Lets the first frame into all, from the fourth clip on."""

    segments = 2

    def logits(self, stream, cue):
        logits = super().logits(stream, cue).mean(1, keepdim=True)
        return logits + logits[:1] if len(logits) > 6 else logits


class LeaksBeyondEight(Right):
    """Lets the first frame into all that lie beyond the eighth."""

    alone = 8

    def logits(self, stream, cue):
        logits = super().logits(stream, cue)
        return torch.cat([logits[: self.alone], logits[self.alone :] + logits[:1]])


class RollsMultiplesOfFive(Right):
    """Mixes up frames of batches of some sizes."""

    def logits(self, stream, cue):
        logits = super().logits(stream, cue)
        return logits.roll(1, 0) if len(logits) % 5 == 0 else logits


class OneBatchSize(Right):
    """Takes no batch but of the size that it saw first."""

    frames = None

    def logits(self, stream, cue):
        self.frames = self.frames or len(stream)
        if len(stream) != self.frames:
            raise RuntimeError("shape '[2, 4]' is invalid for input of size 4")
        return super().logits(stream, cue)


class DriftsFromBfloat16(Right):
    """Leaves bfloat16."""

    def squash(self, logits):
        return (logits.float() if logits.dtype == torch.bfloat16 else logits).sigmoid()


class DriftsToFloat32(Right):
    """Computes in float32, whatever it is given."""

    def squash(self, logits):
        return logits.float().sigmoid()


class SometimesRandom(Right):
    """Decides by Python's random numbers, once in a while."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) + (random.random() < 0.2)


class HardlyRandom(Right):
    """Adds noise that eight digits hide."""

    def logits(self, stream, cue):
        logits = super().logits(stream, cue)
        return logits + 1e-6 * torch.randn_like(logits)


class Reseeds(Right):
    """Seeds the generator that all others draw from."""

    def logits(self, stream, cue):
        torch.manual_seed(0)
        return super().logits(stream, cue)


class TimeOfDay(Right):
    """Depends on the clock."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) + time.time() % 10


class CachedByAddress(Right):
    """Keeps results by the address of the inputs."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.cache = {}

    def map(self, stream, cue):
        if torch.is_grad_enabled():
            return super().map(stream, cue)
        key = stream.data_ptr(), cue.data_ptr(), stream.shape
        self.cache[key] = self.cache[key] if key in self.cache else super().map(stream, cue)
        return self.cache[key]


class CuePassesNoGradient(Right):
    """Detaches the cue."""

    def logits(self, stream, cue):
        return super().logits(stream, cue.detach())


class StreamPassesNoGradient(Right):
    """Detaches the stream."""

    def logits(self, stream, cue):
        return super().logits(stream.detach(), cue)


class NoGradientInEvaluation(Right):
    """Passes gradients in training mode only."""

    def map(self, stream, cue):
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return super().map(stream, cue)


class IdentityBackward(torch.autograd.Function):
    """A sigmoid whose derivative is one."""

    @staticmethod
    def forward(ctx, logits):
        return logits.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class WrongBackward(Right):
    """Passes back a wrong gradient."""

    def squash(self, logits):
        return IdentityBackward.apply(logits)


class TiedWeights(Right):
    """Registers one parameter under two names."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.again = nn.Linear(channels, 4)
        self.again.weight = self.query.weight

    def logits(self, stream, cue):
        return super().logits(stream, cue) + self.again(stream).sum(-1, keepdim=True)


class ScalesStream(Right):
    """Scales the stream in place."""

    def map(self, stream, cue):
        found = super().map(stream, cue)
        with torch.no_grad():
            stream.mul_(1.5)
        return found


class ClampsCue(Right):
    """Clamps the cue in place, so that a second call sees no further change."""

    def map(self, stream, cue):
        with torch.no_grad():
            cue.clamp_(-1, 1)
        return super().map(stream, cue)


class SilentFrameIsNan(Right):
    """Divides by the norm of a token."""

    def logits(self, stream, cue):
        return super().logits(stream / stream.norm(dim=-1, keepdim=True), cue)


class ForgottenScale(Right):
    """Scales in evaluation what it does not scale in training."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) * (1 if self.training else 3)


class TrainingState(Right):
    """Keeps a running mean where no state_dict finds it."""

    mean = 0.0

    def logits(self, stream, cue):
        if self.training:
            self.mean = 0.9 * self.mean + 1
        return super().logits(stream, cue + self.mean)


class Tenuous(Right):
    """Multiplies a parameter's part by next to nothing, as a norm that divides it out does."""

    laws_exempt: ClassVar = {}

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.shift = nn.Parameter(torch.ones(()))

    def logits(self, stream, cue):
        return super().logits(stream, cue) + 1e-9 * self.shift
