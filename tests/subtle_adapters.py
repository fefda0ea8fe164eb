"""Adapters, alignments, modulations, sections and pairings that are wrong in one way each that hardly shows."""

import random
from dataclasses import replace

import torch
from broken import Sound
from faulty_adapters import Half, Modulated

from crossmodal.adapters import Adapted, Modulation
from crossmodal.alignment import LearnedAlignment
from crossmodal.injection import paired_as_paper


class LastChannelOfGuide(Modulated):
    """Ignores the last channel of the guide."""

    def cue(self, guide):
        return super().cue(torch.cat([guide[..., :-1], torch.zeros_like(guide[..., -1:])], -1))


class FourChannelsOfGuide(Modulated):
    """Ignores channels of the guide beyond the fourth."""

    def cue(self, guide):
        return super().cue(torch.cat([guide[..., :4], torch.zeros_like(guide[..., 4:])], -1))


class GuideInTrainingOnly(Modulated):
    """Hears a hundredth of the guide's first channel in evaluation."""

    def cue(self, guide):
        first = (torch.arange(guide.shape[-1]) == 0).to(guide)
        return super().cue(guide if self.training else guide * first)


class HalfWritten(Sound):
    """Never writes the last channel."""

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        return Adapted(residual * (torch.arange(residual.shape[-1]) < residual.shape[-1] - 1).to(residual), maps)


class ShiftsTheGuide(Modulated):
    """Adds to a view of the guide in place."""

    def cue(self, guide):
        found = super().cue(guide)
        guide[:, -1:].data.mul_(1.001)
        return found


class DetachesOneChannelOfGuide(Modulated):
    """Passes no gradient to the first channel of the guide."""

    def cue(self, guide):
        return super().cue(torch.cat([guide[..., :1].detach(), guide[..., 1:]], -1))


class GuideLeaksBeyondTwenty(Modulated):
    """Takes the guide of the first frame for those beyond the twentieth."""

    def cue(self, guide):
        cue = super().cue(guide)
        return torch.cat([cue[:20], cue[:1].expand(max(0, len(cue) - 20), -1, -1)])


class ContiguousGuide(Modulated):
    """Takes a guide in one piece of memory only."""

    def cue(self, guide):
        return super().cue(guide.view(-1, guide.shape[-1]).view(guide.shape))


class ConstantGuideIsNan(Modulated):
    """Divides by the deviation of the guide."""

    def cue(self, guide):
        off = guide - guide.mean(-1, keepdim=True)
        return super().cue(off / off.norm(dim=-1, keepdim=True))


class MovesItsGate(Modulated):
    """Opens its gate a little at every call in training."""

    def adapted(self, stream, guide):
        if self.training:
            self.gate.scale.data.clamp_(max=0.9)
        return super().adapted(stream, guide)


class DetachedGateInTraining(Modulated):
    """Trains no projection."""

    def cue(self, guide):
        return super().cue(guide).detach() if self.training else super().cue(guide)


class KeepsAScratchpad(Modulated):
    """Writes every residual where it wrote the last."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide)
        self.room = {}

    def adapted(self, stream, guide):
        residual, maps = super().adapted(stream, guide)
        if torch.is_grad_enabled():
            return Adapted(residual, maps)
        room = self.room.setdefault((residual.shape, residual.dtype), torch.empty_like(residual))
        return Adapted(room.copy_(residual), maps)


class OtherDevice(Modulated):
    """Builds a table on the CPU."""

    def map(self, stream, guide):
        return super().map(stream, guide) * torch.ones(stream.shape[1], 1, dtype=stream.dtype)


class ShortSighted(LearnedAlignment):
    """Aligns all channels of a guide but the last."""

    def forward(self, guide):
        return super().forward(torch.cat([guide[..., :-1], torch.zeros_like(guide[..., -1:])], -1))

    def pooled(self, guide):
        return self(guide).mean(1)

    def attend(self, latents, guide):
        aligned = self(guide)
        return (latents @ aligned.mT).softmax(-1) @ aligned


class CueInVain(Modulation):
    """Modulates by a cue of zeros."""

    def forward(self, stream, cue):
        return super().forward(stream, cue * 0)


class Wavering(Half):
    """Changes its mind once in four calls."""

    calls = 0

    def forward(self, stream):
        self.calls += 1
        return super().forward(stream) + (self.calls % 4 == 3) * 1e-3


class Running(Half):
    """Keeps statistics in evaluation that it does not use."""

    def __init__(self, inner):
        super().__init__(inner)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, stream):
        self.mean.lerp_(stream.detach().mean(), 0.1)
        return super().forward(stream)


class LeakyBeyondNine(Half):
    """Lets the first frame into the tenth and all after it."""

    def forward(self, stream):
        moved = super().forward(stream)
        return torch.cat([moved[:9], moved[9:] + 0.1 * moved[:1]])


class ViewsItsStream(Half):
    """Takes a stream in one piece of memory only, as a stem that flattens a picture does."""

    def forward(self, stream):
        return super().forward(stream.view(-1, stream.shape[-1]).view(stream.shape))


class TableOnCpu(Half):
    """Adds positions that lie on the CPU."""

    def forward(self, stream):
        return super().forward(stream + torch.ones(stream.shape[1], 1).to(stream.dtype))


class RoomForOne(Half):
    """Writes its stream where it wrote the last."""

    room = None

    def forward(self, stream):
        moved = super().forward(stream)
        if torch.is_grad_enabled():
            return moved
        if self.room is None or self.room.shape != moved.shape or self.room.dtype != moved.dtype:
            self.room = torch.empty_like(moved)
        return self.room.copy_(moved)


class RandomlySeeded(Half):
    """Draws random numbers for nothing."""

    def forward(self, stream):
        torch.rand(1)
        return super().forward(stream)


class Silence(Half):
    """Divides by the norm of a token."""

    def forward(self, stream):
        return super().forward(stream / stream.norm(dim=-1, keepdim=True))


def wavering_pairing(sites):
    """Names couplers as drawn."""
    steps = paired_as_paper(sites)
    return tuple(replace(step, coupler=step.coupler and f"{step.coupler}_{random.randrange(10**6)}") for step in steps)


def greedy_pairing(sites):
    """Takes the stems off the lists that it is given."""
    steps = paired_as_paper({name: tuple(of) for name, of in sites.items()})
    if isinstance(sites, dict):
        sites.clear()
    return steps
