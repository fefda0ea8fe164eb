"""Blocks that are right, and built as few are: no law may refuse them."""

from typing import ClassVar

import torch
from broken import Sound
from faulty_adapters import Half, Modulated
from faulty_guidance import Right
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from crossmodal.adapters import Adapted

# guidance


class Grouped(Right):
    """Group norm over the channels and tokens of a frame."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.norm = nn.GroupNorm(2, 4)

    def logits(self, stream, cue):
        return (self.norm(self.query(stream).mT).mT * self.key(cue)[:, None]).sum(-1, keepdim=True)


class Einsum(Right):
    """Writes its product as an einsum."""

    def logits(self, stream, cue):
        return torch.einsum("ftc,fc->ft", self.query(stream), self.key(cue))[..., None]


class Remembering(Right):
    """Reads the cues of a clip by an LSTM."""

    segments = 2

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.read = nn.LSTM(cue_channels, cue_channels, batch_first=True, bidirectional=True)
        self.key = nn.Linear(2 * cue_channels, 4)

    def logits(self, stream, cue):
        read, _ = self.read(cue.unflatten(0, (-1, self.segments)))
        return super().logits(stream, read.flatten(0, 1))


class LazyOnce(Right):
    """Learns its width from a first call."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.query = nn.LazyLinear(4)
        self.query(torch.zeros(1, channels))


class InFloat64(Right):
    """Computes in float64 inside."""

    def logits(self, stream, cue):
        product = self.query(stream).double() * self.key(cue).double()[:, None]
        return product.sum(-1, keepdim=True).to(stream.dtype)


class InFloat32(Right):
    """Normalises in float32, as language models do."""

    def logits(self, stream, cue):
        query = self.query(stream).float()
        query = (query * (query.square().mean(-1, keepdim=True) + 1e-5).rsqrt()).to(stream.dtype)
        return (query * self.key(cue)[:, None]).sum(-1, keepdim=True)


class RecomputesInside(Right):
    """Checkpoints itself."""

    def logits(self, stream, cue):
        return checkpoint(super().logits, stream, cue, use_reentrant=False)


class Orthogonal(Right):
    """Keeps a weight orthogonal."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.mix = nn.utils.parametrizations.orthogonal(nn.Linear(4, 4, bias=False))

    def logits(self, stream, cue):
        return (self.mix(self.query(stream)) * self.key(cue)[:, None]).sum(-1, keepdim=True)


class Squash(torch.autograd.Function):
    """A sigmoid with the derivative that it has."""

    @staticmethod
    def forward(ctx, logits):
        squashed = logits.sigmoid()
        ctx.save_for_backward(squashed)
        return squashed

    @staticmethod
    def backward(ctx, gradient):
        (squashed,) = ctx.saved_tensors
        return gradient * squashed * (1 - squashed)


class OwnBackward(Right):
    """Differentiates by hand, and rightly."""

    def squash(self, logits):
        return Squash.apply(logits)


class Tied(Right):
    """Uses one projection twice, and says so."""

    laws_exempt: ClassVar = {"one home": "query and score share a projection by intention"}

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.score = nn.Linear(channels, 4)
        self.score.weight = self.query.weight

    def logits(self, stream, cue):
        return ((self.query(stream) + self.score(stream).relu()) * self.key(cue)[:, None]).sum(-1, keepdim=True)


class Looked(Right):
    """Looks a code of the cue up."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.codes = nn.Embedding(2, 4)

    def logits(self, stream, cue):
        code = self.codes((cue.mean(-1) > 0).long())
        return (self.query(stream) * (self.key(cue) + code)[:, None]).sum(-1, keepdim=True)


class MostOf(Right):
    """Keeps the better half of the tokens."""

    def map(self, stream, cue):
        logits = self.logits(stream, cue)
        least = logits.topk(max(1, logits.shape[1] // 2), dim=1).values[:, -1:]
        return torch.where(logits >= least, logits.sigmoid(), torch.zeros_like(logits))


class Share(Right):
    """Divides one among the tokens."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.query = nn.Linear(channels, 4, bias=False)  # a number for all tokens would be divided out

    def squash(self, logits):
        return logits.softmax(1)


class Generated(Right):
    """Its weights come from the cue."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.generate = nn.Linear(cue_channels, channels)

    def logits(self, stream, cue):
        own = stream @ self.generate(cue)[..., None]
        return super().logits(stream, cue) + own


class Heads(Right):
    """Attends by torch's own attention."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
        self.out = nn.Linear(4, 1)

    def logits(self, stream, cue):
        query = self.query(stream) + self.key(cue)[:, None]
        return self.out(self.attend(query, query, query, need_weights=False)[0])


class Moving(Right):
    """Takes a running mean of its own off in both modes, and moves it in training."""

    laws_exempt: ClassVar = {
        "checkpointed": "a recomputed call reads the mean that the first has moved",
        "training is evaluation": "it moves its mean in training",
    }

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.register_buffer("running_mean", torch.zeros(cue_channels))

    def logits(self, stream, cue):
        mean = self.running_mean.clone()
        if self.training:
            self.running_mean.copy_(self.running_mean.lerp(cue.detach().mean(0).to(mean), 0.1))
        return super().logits(stream, cue - mean)


# adapters


class Depthwise(Modulated):
    """Convolves the tokens channel by channel."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.mix = nn.Conv1d(stream.width, stream.width, 3, padding=1, groups=stream.width)

    def adapted(self, stream, guide):
        residual, maps = super().adapted(self.mix(stream.mT).mT, guide)
        return Adapted(residual, maps)


class Spectral(Modulated):
    """Filters the tokens in the frequency domain."""

    def adapted(self, stream, guide):
        heard = torch.fft.rfft(stream, dim=1, norm="ortho")
        shaded = torch.fft.irfft(heard * (1 - 0.1j), n=stream.shape[1], dim=1, norm="ortho")
        return super().adapted(stream + 0.1 * shaded, guide)


class Layered(Modulated):
    """A whole transformer layer of torch."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.layer = nn.TransformerEncoderLayer(stream.width, 1, 8, dropout=0.0, batch_first=True)

    def adapted(self, stream, guide):
        return super().adapted(self.layer(stream), guide)


class Attending(Sound):
    """Attends from the stream to the guide."""

    def adapted(self, stream, guide):
        keys = self.project(guide)
        read = F.scaled_dot_product_attention(stream, keys, keys)
        return Adapted(self.gate(read), {})


class SkipsFrames(Modulated):
    """Drops whole frames in training."""

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        if self.training:
            residual = residual * (torch.rand(len(stream), 1, 1) < 0.8).to(residual) / 0.8
        return Adapted(residual, maps)


class Cumulative(Modulated):
    """Reads tokens from left to right."""

    def adapted(self, stream, guide):
        return super().adapted(stream.cumsum(1) / 10, guide)


class Normed(Modulated):
    """Batch norm before all."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.norm = nn.BatchNorm1d(stream.width)

    def adapted(self, stream, guide):
        return super().adapted(self.norm(stream.mT).mT, guide)


class FirstOfGuide(Modulated):
    """Reads the class token of a guide."""

    def cue(self, guide):
        return self.project(guide[:, :1])


class Experts(Modulated):
    """Routes tokens to one of two experts."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.experts = nn.ModuleList(nn.Linear(stream.width, stream.width) for _ in range(2))
        self.route = nn.Linear(stream.width, 2)

    def adapted(self, stream, guide):
        share = self.route(stream).softmax(-1)
        best = share.argmax(-1, keepdim=True)
        out = torch.stack([expert(stream) for expert in self.experts], -1)
        chosen = out.gather(-1, best[..., None].expand(*out.shape[:-1], 1))[..., 0]
        return super().adapted(stream + chosen * share.gather(-1, best), guide)


# sections


class NormedHalf(Half):
    """A section with batch norm."""

    def __init__(self, inner):
        super().__init__(inner)
        self.norm = nn.BatchNorm1d(inner.in_features)

    def forward(self, stream):
        return super().forward(self.norm(stream.mT).mT)
