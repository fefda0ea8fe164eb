"""Laws of gradients: they are the right ones, whoever else asks for one."""

from collections.abc import Mapping

import torch
from torch import nn

from ..law import Violation, expect_close, law
from ..trial import Trial, blended, differentiated
from .learning import jittered

STEP, LONG = 1e-6, 1e-3
"""Lengths of the step of a difference quotient: in float64, and of a block that rounds to float32 inside."""


@law(7, "gradients are right", examples=2)
def gradients_are_right(trial: Trial) -> None:
    """In float64 gradients into every input and weight equal difference quotients, where values move at all."""
    trial = trial.exact()
    block = trial.woken()
    wrong: dict[str, str] = {}
    for draw in range(3):  # a kink may lie within one step
        drawn = jittered(trial) if draw else trial
        found = quotients(drawn, block, [*wrong] if draw else None)
        wrong = {name: words for name, words in found.items() if not draw or name in wrong}
        if not wrong:
            return
    raise Violation("\n".join(wrong.values()))


def quotients(trial: Trial, block: nn.Module, names: list[str] | None) -> dict[str, str]:
    """Compares gradients with difference quotients along random directions; returns what differs, in words.

    Args:
        trial: The inputs.
        block: The block.
        names: The inputs and parameters to look at; by default all that get a gradient.
    """
    _, gradients = differentiated(trial, block)
    wrong, here = {}, blend_at(trial, block, {}, 0)
    for name in names or gradients:
        along = {name: torch.randn_like(gradients[name])}
        expected = float((gradients[name].conj() * along[name]).real.sum())
        step, tolerance = STEP, 1e-4
        ends = [blend_at(trial, block, along, sign * step) for sign in (1.0, -1.0)]
        # What is smooth in float64 lies on a line; rounding inside shows as a second difference.
        if abs(ends[0] - 2 * here + ends[1]) > 1e-3 * step * (1 + abs(expected)):
            step, tolerance = LONG, 2e-2
            ends = [blend_at(trial, block, along, sign * step) for sign in (1.0, -1.0)]
        found = (ends[0] - ends[1]) / (2 * step)
        # Values that move by rounding alone, as behind a threshold, leave the gradient to the author.
        moved = abs(ends[0] - ends[1]) > 1e-12 * (1 + abs(here))
        if moved and abs(found - expected) > tolerance * (abs(found) + abs(expected)) + tolerance / 100:
            wrong[name] = (
                f"gradient into {name}: expected {found:.6g} along a direction, found {expected:.6g}: a `detach`, "
                f"`no_grad` or `backward` of its own is wrong"
            )
    return wrong


def blend_at(trial: Trial, block: nn.Module, along: Mapping[str, torch.Tensor], step: float) -> float:
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


@law(7, "gradients alone", examples=1)
def gradients_alone(trial: Trial) -> None:
    """Outputs and gradients are the same whoever else asks for one: weights, one input alone, frozen weights."""
    trial = trial.exact()
    block = trial.woken()
    learned = [parameter for parameter in block.parameters() if parameter.requires_grad]
    outputs, expected = differentiated(trial, block)
    for asked in ((), *((name,) for name in trial.inputs)):
        for frozen in (False, True) if asked else (False,):
            for parameter in learned:
                parameter.requires_grad_(not frozen)
            results, gradients = differentiated(trial, block, asked=asked)
            where = f"where only {' and '.join(asked) or 'no input'} {'and no' if frozen else 'and every'} weight asks,"
            for name, found in results.items():
                expect_close(f"{name}, {where}", found, outputs[name], tolerance=1e-9)
            for name, found in gradients.items():
                expect_close(f"gradient into {name}, {where}", found, expected[name], tolerance=1e-9)
    for parameter in learned:
        parameter.requires_grad_(True)
