"""Blocks that each break one law and keep the others: a law that cannot fail is worthless."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.adapters import Adapted, Gate, Modulation
from crossmodal.alignment import LearnedAlignment, as_alignment
from crossmodal.guidance import ChannelGuidance, FrequencyGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.injection import Coupler
from crossmodal.injection.coupler import CouplerOutput
from crossmodal.shapes import check_width, shaped

Stream = Float[Tensor, "frame token channel"]


class Doubled(SpatialGuidance):
    """Its map reaches 2."""

    def forward(self, stream, cue):
        return 2 * super().forward(stream, cue)


class Whole(SpatialGuidance):
    """One value a token and channel: no documented shape."""

    def forward(self, stream, cue):
        return super().forward(stream, cue).expand_as(stream)


class Ordered(SpatialGuidance):
    """Later tokens count for more."""

    def forward(self, stream, cue):
        return super().forward(stream, cue) * torch.linspace(0.5, 1, stream.shape[1]).to(stream)[:, None]


class FirstToken(ChannelGuidance):
    """Reads one token of all."""

    def forward(self, stream, cue):
        return super().forward(stream[:, :1], cue)


class Leaky(SpatialGuidance):
    """Hears the last frame in the first."""

    def forward(self, stream, cue):
        return super().forward(stream + stream.flip(0), cue)


class Uneven(FrequencyGuidance):
    """Two values within a band."""

    def forward(self, stream, cue):
        return super().forward(stream, cue) * torch.linspace(0.5, 1, stream.shape[1]).to(stream)[:, None]


class HighPass(FrequencyGuidance):
    """Prefers high bands, whatever sounds there."""

    def forward(self, stream, cue):
        return super().forward(stream, cue) * (self.band + 1)[:, None].to(stream) / self.bands


class Idle(SegmentGuidance):
    """Holds a parameter that it never uses."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.forgotten = nn.Parameter(torch.ones(3))


class Forgetful(SegmentGuidance):
    """In training its answer depends on how often it was asked."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.asked = 0

    def forward(self, stream, cue):
        self.asked += 1
        return super().forward(stream, cue) / (1 + self.training * self.asked % 2)


class Peeking(SegmentGuidance):
    """Branches on data, which no whole graph can, though both ways lead to one answer."""

    def forward(self, stream, cue):
        found = super().forward(stream, cue)
        return found + 0 if cue.sum() > 0 else found


class Whimsical(SegmentGuidance):
    """Answers the fifth call of all otherwise: an error that does not come back."""

    calls = itertools.count(1)

    def forward(self, stream, cue):
        return super().forward(stream, cue) * (0.5 if next(self.calls) == 5 else 1)


class Unchecked(nn.Module):
    """A formula without any check: a cue of one frame broadcasts."""

    def __init__(self, channels, cue_channels):
        super().__init__()
        self.readout = nn.Linear(cue_channels, channels)

    def forward(self, stream, cue):
        return (stream.mean(1, keepdim=True) * self.readout(cue)[:, None]).sigmoid()


class PassesBy(SegmentGuidance):
    """Multiplies by the weight of a layer that it never calls."""

    @shaped
    def forward(self, stream: Stream, cue: Float[Tensor, "frame cue_channel"]) -> Float[Tensor, "frame 1 1"]:
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, self.cue_channels)
        return F.linear(cue, self.readout.weight, self.readout.bias).sigmoid()[:, None]


class Unsaved(SegmentGuidance):
    """A random number that no state_dict knows."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.secret = torch.rand(()).item()

    def forward(self, stream, cue):
        return super().forward(stream, cue) * self.secret


class Emptied(SegmentGuidance):
    """A table that is computed at construction and saved nowhere."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.register_buffer("table", torch.tensor([0.5]), persistent=False)

    def forward(self, stream, cue):
        return super().forward(stream, cue) * self.table


class Unpicklable(SegmentGuidance):
    """Holds a function without a name."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.squash = lambda logit: logit.clamp(0, 1)

    def forward(self, stream, cue):
        return self.squash(super().forward(stream, cue))


class Mute(nn.Module):
    """Says nothing of its sizes."""

    def __init__(self, channels, cue_channels):
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.randn(cue_channels))

    @shaped
    def forward(self, stream: Stream, cue: Float[Tensor, "frame cue_channel"]) -> Float[Tensor, "frame 1 1"]:
        check_width(self, "stream", stream, self.channels)
        check_width(self, "cue", cue, len(self.weight))
        return (cue @ self.weight).sigmoid()[:, None, None]


class Sound(nn.Module):
    """An adapter of one's own that keeps all laws: the guide's mean, projected, behind a gate."""

    def __init__(self, stream, guide):
        super().__init__()
        self.project = nn.Linear(guide.width, stream.width)
        self.gate = Gate()

    def cue(self, guide):
        return self.project(guide.mean(1, keepdim=True))

    @shaped
    def forward(self, stream: Stream, guide: Float[Tensor, "frame guide_token guide_channel"]) -> Adapted:
        check_width(self, "stream", stream, self.project.out_features)
        check_width(self, "guide", guide, self.project.in_features)
        return self.adapted(stream, guide)

    def map(self, guide):
        return self.cue(guide).sigmoid()

    def adapted(self, stream, guide):
        channel = self.map(guide)
        return Adapted(self.gate((stream * self.cue(guide)).tanh() * (1 + channel)), {"channel": channel})


class Broadcasting(nn.Module):
    """A residual with one token for all."""

    def __init__(self, stream, guide):
        super().__init__()
        self.inner = Sound(stream, guide)

    def forward(self, stream, guide):
        residual, maps = self.inner(stream, guide)
        return Adapted(residual.mean(1, keepdim=True), maps)


class Loud(Sound):
    """Speaks before it has learned to."""

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        return Adapted(residual + 0.01 * self.cue(guide), maps)


class Overbright(Sound):
    """Its map exceeds one."""

    def map(self, guide):
        return 1.5 * super().map(guide)


class Eavesdropping(Sound):
    """Its map reads more of the guide than the cue says."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.align = LearnedAlignment(guide.tokens, guide.width, stream.tokens, stream.width)

    def adapted(self, stream, guide):
        cue = as_alignment(self.align).pooled(guide)[:, None]
        loudest = guide.amax((1, 2))[:, None, None]
        channel = (cue * loudest).sigmoid()
        return Adapted(self.gate((stream * self.cue(guide) + cue).tanh() * (1 + channel)), {"channel": channel})


class Alternating(Sound):
    """Answers every other call with the sign turned."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.calls = 0

    def adapted(self, stream, guide):
        self.calls += 1
        residual, maps = super().adapted(stream, guide)
        return Adapted(residual * (-1) ** self.calls, maps)


class OneAfterAnother(Coupler):
    """The second edge reads what the first has written."""

    def forward(self, streams):
        streams, residuals = dict(streams), {}
        for guide, name in self.edges:
            residuals[name] = self.get_submodule(f"{guide}_{name}")(streams[name], streams[guide]).residual
            streams[name] = streams[name] + residuals[name]
        return CouplerOutput(residuals, {})


class Shortcut(Gate):
    """Its gate is read, and called only where somebody listens."""

    def __init__(self, channels):
        super().__init__(channels)
        self.inner = Gate(channels)

    @shaped
    def forward(self, stream: Stream) -> Stream:
        listened = self.inner._forward_hooks
        return self.inner(stream) if listened else self.inner.scale * stream


class FirstAsCue(LearnedAlignment):
    """Its cue is its first token."""

    def pooled(self, guide):
        return self(guide)[:, 0]


class Scaled(LearnedAlignment):
    """Attends with the scale that attention has elsewhere."""

    def attend(self, latents, guide):
        return super().attend(latents * latents.shape[-1] ** -0.5, guide)


class TooFew(LearnedAlignment):
    """Loses a token."""

    def forward(self, guide):
        return super().forward(guide)[:, 1:]


class Boosted(Modulation):
    """Adds a little to every factor."""

    def forward(self, stream, cue):
        modulated, maps = super().forward(stream, cue)
        return type(super().forward(stream, cue))(modulated + 0.1 * stream, maps)
