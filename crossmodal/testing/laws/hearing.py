"""Laws of hearing: every input moves what comes out, and its gradient is the right one, in both modes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..law import NotApplicable, Violation, expect, law
from ..trial import BlockCall, Trial, blended, differentiated, named_tensors
from .learning import NONE, jittered

DRAWS = 8
STEP = 1e-6
"""Length of the step of a difference quotient, in float64."""


@law(7, "stream is heard", examples=2)
def stream_is_heard(trial: Trial) -> None:
    """The output moves with the stream, and in both modes a gradient reaches every token of it."""
    check_heard(trial, "stream")


@law(7, "cue is heard", examples=2)
def cue_is_heard(trial: Trial) -> None:
    """The output moves with the cue, and in both modes a gradient reaches it."""
    check_heard(trial, "cue")


@law(7, "guide is heard", examples=2)
def guide_is_heard(trial: Trial) -> None:
    """The residual moves with the guide, and in both modes a gradient reaches it."""
    check_heard(trial, "guide")


def check_heard(trial: Trial, name: str) -> None:
    """Raises `Violation` where an input does not move the result, or its gradient is none beside those of the others.

    The result is the residual of an adapter, and all outputs of another block. A gradient must reach every token of
    the stream, and some of a guide. What only some draws of weights and inputs let through is drawn again.
    """
    trial = trial.exact()
    for training in (False, True):
        moved, reached = False, torch.zeros(trial.inputs[name].shape[1:-1], dtype=torch.bool)
        for _ in range(DRAWS):
            block, drawn = trial.woken().train(training), jittered(trial)
            moved = moved or moves(drawn, block, name)
            reached = reached | reaches(drawn, block, name)
            if moved and reached.all():
                break
        else:
            if not moved and not any(True for _ in block.parameters()):
                raise NotApplicable("it has no weights, and returns a constant")
            mode = f"in {DRAWS} draws in {'training' if training else 'evaluation'} mode"
            expect(moved, f"{mode} no other {name} moved the result")
            where = f" token {int((~reached).nonzero()[0])} of" if reached.any() else ""
            raise Violation(f"{mode} no gradient reached{where} {name}")


def reaches(trial: Trial, block: nn.Module, name: str) -> Tensor:
    """Returns which tokens of an input a gradient reaches: of a stream each for itself, of another input any."""
    gradients = differentiated(trial, block, results_of(trial))[1]
    least = NONE * max(float(gradients[other].abs().max()) for other in trial.inputs if other in gradients)
    hit = (gradients[name].abs() > least).any(-1).any(0)
    return hit if name == "stream" else hit.any().expand_as(hit)


def results_of(trial: Trial) -> BlockCall:
    """Returns a call whose result leaves out an adapter's maps."""

    def call(block: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in named_tensors(trial.call(block, inputs)) if not name.startswith("maps")}

    return call


def moves(trial: Trial, block: nn.Module, name: str) -> bool:
    """Returns whether another input moves the result by more than rounding."""
    call, other = results_of(trial), torch.randn_like(trial.inputs[name])
    with torch.no_grad():
        state = torch.get_rng_state()
        before = call(block, trial.inputs)
        torch.set_rng_state(state)  # so that dropout draws the same
        after = call(block, {**trial.inputs, name: other})
    return any((after[key] - value).abs().max() > 1e-9 * value.abs().max() for key, value in before.items())


@law(7, "gradients are right", examples=2)
def gradients_are_right(trial: Trial) -> None:
    """In float64 gradients into every input and the weights equal difference quotients, where values move at all."""
    trial = trial.exact()
    block = trial.woken()
    wrong: dict[str, str] = {}
    for draw in range(3):  # a kink may lie within one step
        drawn = jittered(trial) if draw else trial
        found = quotients(drawn, block)
        wrong = {name: words for name, words in found.items() if not draw or name in wrong}
        if not wrong:
            return
    raise Violation("\n".join(wrong.values()))


def quotients(trial: Trial, block: nn.Module) -> dict[str, str]:
    """Compares gradients with difference quotients along random directions; returns what differs, in words."""
    _, gradients = differentiated(trial, block)
    wrong = {}
    for name in [*trial.inputs, "the weights"]:
        names = [name] if name in trial.inputs else [key for key in gradients if key not in trial.inputs]
        along = {key: torch.randn_like(gradients[key]) for key in names if key in gradients}
        expected = float(sum((gradients[key].conj() * step).real.sum() for key, step in along.items()))
        ends = [blend_at(trial, block, along, sign * STEP) for sign in (1.0, -1.0)]
        found = (ends[0] - ends[1]) / (2 * STEP)
        # Values that do not move at all, as behind a threshold, leave the gradient to the author.
        if ends[0] != ends[1] and abs(found - expected) > 1e-4 * (abs(found) + abs(expected)) + 1e-6:
            wrong[name] = f"gradient into {name}: expected {found:.6g} along a direction, found {expected:.6g}"
    return wrong


def blend_at(trial: Trial, block: nn.Module, along: Mapping[str, Tensor], step: float) -> float:
    """Computes the blend of all outputs, a step away along a direction of inputs or weights."""
    weights = dict(block.named_parameters())
    kept = {name: weights[name].detach().clone() for name in along if name in weights}
    moved = {name: x + step * along[name] if name in along else x for name, x in trial.inputs.items()}
    with torch.no_grad():
        for name in kept:
            weights[name].add_(along[name], alpha=step)
        outputs = trial.run(block, **moved)
        for name, value in kept.items():
            weights[name].copy_(value)
    return float(sum(blended(value) for value in outputs.values() if value.is_floating_point()))
