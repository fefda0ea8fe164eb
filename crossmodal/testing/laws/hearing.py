"""Laws of hearing: every input moves what comes out, all of it, in both modes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..law import NotApplicable, expect, law
from ..trial import BlockCall, Trial, differentiated, named_tensors
from .learning import NONE, jittered

DRAWS = 8

WIDTH = 40
"""Least width of the inputs that must be heard."""


@law(7, "stream is heard", examples=2)
def stream_is_heard(trial: Trial) -> None:
    """In both modes a gradient reaches every token, channel and frame of the stream; every channel written moves."""
    check_heard(trial, "stream")


@law(7, "cue is heard", examples=2)
def cue_is_heard(trial: Trial) -> None:
    """The output moves with the cue, and in both modes a gradient reaches every channel and frame of it."""
    check_heard(trial, "cue")


@law(7, "guide is heard", examples=2)
def guide_is_heard(trial: Trial) -> None:
    """The residual moves with the guide, and in both modes a gradient reaches every channel and frame of it."""
    check_heard(trial, "guide")


def check_heard(trial: Trial, name: str) -> None:
    """Raises `Violation` where an input is not heard in full.

    It is asked between wide inputs: a block may read the first few channels of any, and a norm over two channels leaves
    nothing but signs. The result is the residual of an adapter, and all outputs of another block. What only some draws
    of weights and inputs let through is drawn again.
    """
    narrowest = min(tensor.shape[-1] for tensor in trial.inputs.values())
    trial = trial.widened(-(-WIDTH // narrowest)).exact()
    for training in (False, True):
        check_heard_in(trial, name, training=training)


def check_heard_in(trial: Trial, name: str, *, training: bool) -> None:
    """Raises `Violation` where an input does not move the result, or a gradient does not reach all of it."""
    moved, written, reached = False, Missing(), Missing()
    for _ in range(DRAWS):
        block, drawn = trial.woken().train(training), jittered(trial)
        moved = moved or moves(drawn, block, name)
        reached.found(reaches(drawn, block, name))
        if name == "stream":
            written.found(writes(drawn, block))
        if moved and not reached.left and not written.left:
            return
    if not moved and not any(True for _ in block.parameters()):
        raise NotApplicable("it has no weights, and returns a constant")
    mode = f"in {DRAWS} draws in {'training' if training else 'evaluation'} mode"
    expect(moved, f"{mode} no other {name} moved the result")
    width = f" of width {trial.inputs[name].shape[-1]}"
    expect(not reached.left, f"{mode} no gradient reached {reached.first} of {name}{width}: read all, detach nothing")
    expect(not written.left, f"{mode} no input moved {written.first}: write all channels")


class Missing:
    """Holds what no draw has found yet: places along the axes of tensors."""

    def __init__(self) -> None:
        """Waits for the first draw."""
        self.unfound: dict[str, Tensor] = {}

    def found(self, masks: Mapping[str, Tensor]) -> None:
        """Takes what a draw has found, axis by axis."""
        self.unfound = {axis: self.unfound.get(axis, torch.ones_like(mask)) & ~mask for axis, mask in masks.items()}

    @property
    def left(self) -> bool:
        """Whether anything is missing."""
        return any(bool(mask.any()) for mask in self.unfound.values())

    @property
    def first(self) -> str:
        """The first of what is missing, in words; the empty string where an axis is missing whole."""
        for axis, mask in self.unfound.items():
            if mask.any():
                return f"{axis} {int(mask.nonzero()[0])}"
        return "any place"


def reaches(trial: Trial, block: nn.Module, name: str) -> dict[str, Tensor]:
    """Returns which frames and channels of an input a gradient reaches, and which tokens of a stream."""
    gradients = differentiated(trial, block, results_of(trial))[1]
    least = NONE * max(float(gradients[other].abs().max()) for other in trial.inputs if other in gradients)
    hit = gradients[name].abs() > least
    axes = {"token": 1, "channel": -1, "frame": 0} if name == "stream" else {"channel": -1, "frame": 0}
    return {axis: hit.transpose(at, 0).flatten(1).any(1) for axis, at in axes.items()}


def writes(trial: Trial, block: nn.Module) -> dict[str, Tensor]:
    """Returns which channels of every result move with other inputs."""
    other = {name: torch.randn_like(tensor) for name, tensor in trial.inputs.items()}
    before, after = called_with(trial, block, {}), called_with(trial, block, other)
    return {
        f"{name}, channel": moved.flatten(0, -2).any(0)
        for name, value in before.items()
        for moved in [(after[name] - value).abs() > 1e-9 * value.abs().max()]
    }


def results_of(trial: Trial) -> BlockCall:
    """Returns a call whose result leaves out an adapter's maps."""

    def call(block: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in named_tensors(trial.call(block, inputs)) if not name.startswith("maps")}

    return call


def called_with(trial: Trial, block: nn.Module, changed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Computes the result with other inputs in place of some, without gradients; dropout draws the same every time."""
    state = torch.get_rng_state()
    with torch.no_grad():
        result: dict[str, Tensor] = results_of(trial)(block, {**trial.inputs, **changed})
    torch.set_rng_state(state)
    return result


def moves(trial: Trial, block: nn.Module, name: str) -> bool:
    """Returns whether another input moves the result by more than rounding."""
    before = called_with(trial, block, {})
    after = called_with(trial, block, {name: torch.randn_like(trial.inputs[name])})
    return any((after[key] - value).abs().max() > 1e-9 * value.abs().max() for key, value in before.items())
