"""Guidance that is wrong in one way each that shows only at some size, mode, memory or setting."""

import copy
import random

import numpy
import torch
from faulty_guidance import LeaksBeyondEight, Right
from torch import nn
from torch.nn import functional as F
from unusual_blocks import Squash

# what it is given


class LastChannelOfCue(Right):
    """Ignores the last channel of the cue."""

    def logits(self, stream, cue):
        return super().logits(stream, torch.cat([cue[:, :-1], torch.zeros_like(cue[:, -1:])], 1))


class EightChannelsOfCue(Right):
    """Ignores the channels of a cue beyond the eighth."""

    def logits(self, stream, cue):
        return super().logits(stream, torch.cat([cue[:, :8], torch.zeros_like(cue[:, 8:])], 1))


class LastChannelOfStream(Right):
    """Ignores the last channel of the stream."""

    def logits(self, stream, cue):
        return super().logits(torch.cat([stream[..., :-1], torch.zeros_like(stream[..., -1:])], -1), cue)


class EverySecondFrame(Right):
    """Reads the cue of every second frame."""

    def logits(self, stream, cue):
        return super().logits(stream, cue * (torch.arange(len(cue)) % 2 == 0).to(cue)[:, None])


class OneChannelInEvaluation(Right):
    """Reads one channel of the cue in evaluation."""

    def logits(self, stream, cue):
        return super().logits(stream, cue if self.training else cue * (torch.arange(cue.shape[1]) == 0).to(cue))


# gradients


class DetachesMostOfCue(Right):
    """Passes a gradient to one channel of the cue."""

    def logits(self, stream, cue):
        return super().logits(stream, torch.cat([cue[:, :1], cue[:, 1:].detach()], 1))


class DetachesStreamInTraining(Right):
    """Detaches the stream in training."""

    def logits(self, stream, cue):
        return super().logits(stream.detach() if self.training else stream, cue)


class DetachesKeyInTraining(Right):
    """Trains no key."""

    def logits(self, stream, cue):
        key = F.linear(cue, self.key.weight.detach(), self.key.bias) if self.training else self.key(cue)
        return (self.query(stream) * key[:, None]).sum(-1, keepdim=True)


class MeanForBias(torch.autograd.Function):
    """A linear map whose bias gets the mean of what it should get the sum of."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight.mT + bias

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        return gradient @ weight, gradient.mT @ x, gradient.mean(0)


class WrongForOneBias(Right):
    """Passes back a wrong gradient to one of four parameters."""

    def logits(self, stream, cue):
        key = MeanForBias.apply(cue, self.key.weight, self.key.bias)
        return (self.query(stream) * key[:, None]).sum(-1, keepdim=True)


class SlightlyWrong(Squash):
    """A sigmoid whose derivative is two thousandths too large."""

    @staticmethod
    def backward(ctx, gradient):
        return 1.002 * Squash.backward(ctx, gradient)


class BackwardSlightlyOff(Right):
    """Passes back a gradient that is slightly too large."""

    def squash(self, logits):
        return SlightlyWrong.apply(logits)


class AllOrNothing(torch.autograd.Function):
    """A linear map that differentiates its weights where its input asks too."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight.mT + bias

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        asked = ctx.needs_input_grad[0]
        return gradient @ weight, gradient.mT @ x if asked else None, gradient.sum(0)


class LearnsBehindAdapters(Right):
    """Trains a weight only where the cue needs a gradient."""

    def logits(self, stream, cue):
        key = AllOrNothing.apply(cue, self.key.weight, self.key.bias)
        return (self.query(stream) * key[:, None]).sum(-1, keepdim=True)


class OnlyWhileItLearns(Right):
    """Passes a gradient to the cue only while its own weights learn."""

    def logits(self, stream, cue):
        return super().logits(stream, cue if self.key.weight.requires_grad else cue.detach())


class LastCall(torch.autograd.Function):
    """A sigmoid that keeps its result in a drawer with room for one."""

    drawer: torch.Tensor

    @staticmethod
    def forward(ctx, logits):
        LastCall.drawer = logits.sigmoid()
        return LastCall.drawer.clone()

    @staticmethod
    def backward(ctx, gradient):
        squashed = LastCall.drawer[: len(gradient)]
        return gradient * squashed * (1 - squashed)


class BackwardOfLastCall(Right):
    """Differentiates the last call, whichever is asked for."""

    def squash(self, logits):
        return LastCall.apply(logits)


# inputs


class ShiftsAView(Right):
    """Adds to the first token of the stream."""

    def logits(self, stream, cue):
        stream[:, 0].data.add_(1e-3)
        return super().logits(stream, cue)


class InPlaceWhereItLearns(Right):
    """Scales the stream in place in training, where gradients are on."""

    def logits(self, stream, cue):
        if self.training and torch.is_grad_enabled():
            stream.data.mul_(0.5)
        return super().logits(stream, cue)


class InPlaceBeyondEight(Right):
    """Rounds frames in place beyond the eighth."""

    def map(self, stream, cue):
        found = super().map(stream, cue)
        stream[8:].data.round_()
        return found


# sizes and memory


class OddTokens(Right):
    """Knows the order of an odd number of tokens."""

    def logits(self, stream, cue):
        tokens = stream.shape[1]
        return super().logits(stream, cue) + (tokens % 2) * torch.arange(tokens)[:, None].to(stream) / 10


class ManyTokens(Right):
    """Knows the order of more than a hundred tokens."""

    def logits(self, stream, cue):
        tokens = stream.shape[1]
        return super().logits(stream, cue) + (tokens > 100) * torch.arange(tokens)[:, None].to(stream) / 10


class SquareGrids(Right):
    """Adds positions to square grids."""

    def logits(self, stream, cue):
        tokens = stream.shape[1]
        square = round(tokens**0.5) ** 2 == tokens
        return super().logits(stream, cue) + square * torch.arange(tokens)[:, None].to(stream) / 10


class PowersOfTwo(Right):
    """Mixes up frames where their number is no power of two."""

    def logits(self, stream, cue):
        frames = len(stream)
        return super().logits(stream, cue).roll(int(frames & (frames - 1) != 0), 0)


class ContiguousOnly(Right):
    """Takes a stream in one piece of memory only."""

    def logits(self, stream, cue):
        frames, tokens, channels = stream.shape
        return super().logits(stream.view(frames * tokens, channels).view(frames, tokens, channels), cue)


class ReadsMemory(Right):
    """Takes memory to lie as the stream does."""

    def logits(self, stream, cue):
        strides = (stream.shape[1] * stream.shape[2], stream.shape[2], 1)
        return super().logits(torch.as_strided(stream, stream.shape, strides, stream.storage_offset()), cue)


class OneDevice(Right):
    """Builds a table on the CPU, wherever the stream is."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) * torch.ones(stream.shape[1], 1).to(stream.dtype)


class LeaksBeyondSixteen(LeaksBeyondEight):
    """Lets the first frame into all beyond the sixteenth."""

    alone = 16


class LeaksBeyondHundred(LeaksBeyondEight):
    """Lets the first frame into all beyond the hundredth."""

    alone = 100


class LeaksInLongTraining(Right):
    """Lets frames into each other in training, where there are more than ten."""

    def logits(self, stream, cue):
        logits = super().logits(stream, cue)
        return logits - logits.mean(0) * (self.training and len(logits) > 10)


# randomness


class RarelyRandom(Right):
    """Decides once in forty calls, by random numbers of its own."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) + (random.SystemRandom().random() < 1 / 40)


class DrawsFromNumpy(Right):
    """Moves the random state of numpy."""

    def logits(self, stream, cue):
        numpy.random.rand()
        return super().logits(stream, cue)


class SeedsInTraining(Right):
    """Seeds torch in training."""

    def logits(self, stream, cue):
        if self.training:
            torch.manual_seed(0)
        return super().logits(stream, cue)


class SeedsWhenBuilt(Right):
    """Seeds torch when it is built."""

    def __init__(self, channels, cue_channels):
        torch.manual_seed(0)
        super().__init__(channels, cue_channels)


# values


class ConstantFrameIsNan(Right):
    """Divides by the deviation over tokens, with a way out for silence."""

    def logits(self, stream, cue):
        deviation = stream.std(1, keepdim=True, correction=0).detach()
        silent = stream.detach().abs().amax((1, 2), keepdim=True) == 0
        loud = (stream - stream.mean(1, keepdim=True)) / torch.where(silent, 1, deviation)
        return super().logits(loud, cue)


class OneTokenIsNan(Right):
    """Divides by a deviation that one token has not."""

    def logits(self, stream, cue):
        return super().logits(stream / (1 + stream.std(1, keepdim=True)), cue)


class LeavesHalf(Right):
    """Leaves float16."""

    def squash(self, logits):
        return (logits.float() if logits.dtype == torch.float16 else logits).sigmoid()


class SlightlyOtherInTraining(Right):
    """Is a hundred-thousandth louder in training."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) * (1 + 1e-5 * self.training)


class Backwards(Right):
    """Returns the tokens in reverse order."""

    def map(self, stream, cue):
        return super().map(stream, cue).flip(1)


# what is shared and kept

LAYERS: dict = {}


class OneForAll(Right):
    """Shares its key with all blocks of its size."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.key = LAYERS.setdefault(cue_channels, self.key)


class CachedByVersion(Right):
    """Keeps results by address and version of the inputs."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.cache = {}

    def map(self, stream, cue):
        if torch.is_grad_enabled():
            return super().map(stream, cue)
        key = tuple((x.data_ptr(), x._version, x.shape, x.dtype) for x in (stream, cue))
        self.cache[key] = self.cache[key] if key in self.cache else super().map(stream, cue)
        return self.cache[key]


class CachedByShape(Right):
    """Keeps what it takes off a cue by its shape."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.cache = {}

    def logits(self, stream, cue):
        first = self.cache.setdefault((cue.shape, cue.dtype), cue.detach().mean())
        return super().logits(stream, cue - first)


class Merged(Right):
    """Keeps what follows from its weights, also when they move."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.merged = {}

    def logits(self, stream, cue):
        if self.training or torch.is_grad_enabled():
            return super().logits(stream, cue)
        weight = self.merged.setdefault(cue.dtype, self.key.weight.mT.clone())
        return (self.query(stream) * (cue @ weight + self.key.bias)[:, None]).sum(-1, keepdim=True)


class KeepsItsGraph(Right):
    """Keeps its last map, so that no copy can be made."""

    last = None

    def map(self, stream, cue):
        self.last = super().map(stream, cue)
        return self.last


class CountsInEvaluation(Right):
    """Counts calls in a buffer."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.register_buffer("calls", torch.zeros(()))

    def logits(self, stream, cue):
        self.calls.add_(1)
        return super().logits(stream, cue)


class NormsItsWeights(Right):
    """Normalises a weight in place in training."""

    def logits(self, stream, cue):
        if self.training:
            weight = self.key.weight.data
            weight.div_(weight.norm())
        return super().logits(stream, cue)


class SetsItsMode(Right):
    """Puts a layer in evaluation mode for good."""

    def logits(self, stream, cue):
        self.query.eval()
        return super().logits(stream, cue)


class Unfreezes(Right):
    """Makes its weights trainable."""

    def logits(self, stream, cue):
        self.requires_grad_(True)
        return super().logits(stream, cue)


class ReturnsItsMemory(Right):
    """Writes its map where it wrote the last."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.room = {}

    def map(self, stream, cue):
        found = super().map(stream, cue)
        if torch.is_grad_enabled():
            return found
        room = self.room.setdefault((found.shape, found.dtype), torch.empty_like(found))
        return room.copy_(found)


class LendsItsMemory(Right):
    """Returns what it keeps for equal inputs."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.kept = None

    def map(self, stream, cue):
        if torch.is_grad_enabled():
            return super().map(stream, cue)
        if self.kept is None or not all(map(torch.equal, self.kept[:2], (stream, cue))):
            self.kept = stream.clone(), cue.clone(), super().map(stream, cue)
        return self.kept[2]


class ForgetsItsPrefix(Right):
    """Saves a number under one name, wherever it is."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.register_buffer("shift", torch.randn(()), persistent=False)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination["shift"] = self.shift

    def _load_from_state_dict(self, state_dict, prefix, *args):
        super()._load_from_state_dict(state_dict, prefix, *args)
        self.shift.copy_(state_dict["shift"])
        if not prefix:
            args[3].remove("shift") if "shift" in args[3] else None

    def logits(self, stream, cue):
        return super().logits(stream, cue) * (1 + self.shift)


class PickleForgets(Right):
    """Loses a number where it is pickled."""

    scale = 1.0

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.scale = 1.5

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "scale"}

    def logits(self, stream, cue):
        return super().logits(stream, cue) * self.scale


class CopiesShare(Right):
    """Shares its key with its copies."""

    def __deepcopy__(self, memo):
        twin = type(self)(self.channels, self.cue_channels)
        twin.query, twin.key = copy.deepcopy(self.query, memo), self.key
        return twin.train(self.training)


class PassedByInTraining(Right):
    """Calls no key in training."""

    def logits(self, stream, cue):
        key = F.linear(cue, self.key.weight, self.key.bias) if self.training else self.key(cue)
        return (self.query(stream) * key[:, None]).sum(-1, keepdim=True)


# settings of torch


class OtherWithoutGradients(Right):
    """Rounds where no gradient is asked for."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) * (1 if torch.is_grad_enabled() else 1.001)


class ReadsDefaultDtype(Right):
    """Computes in the default dtype or better."""

    def map(self, stream, cue):
        found = super().map(stream, cue)
        return found if found.dtype != torch.float32 else found.to(torch.get_default_dtype())


class LeavesGradientsOn(Right):
    """Switches gradients on for good."""

    def map(self, stream, cue):
        torch.set_grad_enabled(True)
        return super().map(stream, cue)


class SetsThreads(Right):
    """Sets the number of threads."""

    def map(self, stream, cue):
        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().map(stream, cue)


class SetsDefaultDtype(Right):
    """Sets the default dtype."""

    def map(self, stream, cue):
        torch.set_default_dtype(torch.float64)
        return super().map(stream, cue)


class NoInference(Right):
    """Fails in inference mode."""

    def map(self, stream, cue):
        found = super().map(stream, cue)
        return found if found._version == 0 else found.clone()


# what else a call may do


class AsksForGradients(Right):
    """Makes the cue ask for a gradient."""

    def logits(self, stream, cue):
        return super().logits(stream, cue.requires_grad_() if cue.is_leaf and torch.is_grad_enabled() else cue)


class LouderWhereAsked(Right):
    """Is louder where the cue asks for a gradient."""

    def logits(self, stream, cue):
        return super().logits(stream, cue) * (1.001 if cue.requires_grad else 1)


class GrowsALayer(Right):
    """Makes its key at the first call, which no optimizer knows of."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.grown = nn.ModuleList()

    def logits(self, stream, cue):
        if not self.grown:
            self.grown.append(nn.Identity())
        return super().logits(stream, self.grown[0](cue))


class HooksItself(Right):
    """Registers a hook at every call."""

    def logits(self, stream, cue):
        self.query.register_forward_hook(lambda *_: None)
        return super().logits(stream, cue)


class TrainsItself(Right):
    """Calls backward in its forward."""

    def logits(self, stream, cue):
        if self.training and torch.is_grad_enabled() and self.key.weight.requires_grad:
            self.key(cue.detach()).square().mean().backward()
        return super().logits(stream, cue)


class SameMemory(Right):
    """Holds two parameters in one memory."""

    def __init__(self, channels, cue_channels):
        super().__init__(channels, cue_channels)
        self.shift = nn.Parameter(self.query.bias.data)

    def logits(self, stream, cue):
        return super().logits(stream, cue) + (self.query(stream) * self.shift).sum(-1, keepdim=True)


class CopiesFreeze(Right):
    """Has copies that do not learn."""

    def __setstate__(self, state):
        super().__setstate__(state)
        self.requires_grad_(False)
