"""The laws of execution: checkpointed, compiled or plain, a block computes the same."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..law import expect, expect_close, law
from ..trial import BlockCall, Trial, differentiated


@law(10, "checkpointed", examples=3)
def checkpointed_agrees(trial: Trial) -> None:
    """Checkpointed and plain execution give the same outputs and gradients, in training mode too."""
    trial = trial.exact()
    for training in (False, True):
        block = trial.woken().train(training)

        def recomputed(block: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
            return checkpoint(trial.call, block, inputs, use_reentrant=False)

        same_execution(trial, block, recomputed, "checkpointed")


@law(10, "compiled", examples=2)
def compiled_agrees(trial: Trial) -> None:
    """Compiled (`fullgraph=True`, `aot_eager`) and plain execution give the same outputs and gradients."""
    trial = trial.exact()
    # A cache of earlier blocks' graphs would count against torch's limit of recompilations.
    torch.compiler.reset()
    same_execution(trial, trial.woken(), torch.compile(trial.call, fullgraph=True, backend="aot_eager"), "compiled")
    torch.compiler.reset()


def same_execution(trial: Trial, block: nn.Module, call: BlockCall, how: str) -> None:
    """Raises `Violation` where `call` and the trial's own call disagree, in outputs or gradients."""
    plain, other = (seeded(trial, block, one) for one in (trial.call, call))
    for of, found, expected in (("", other[0], plain[0]), ("gradient of ", other[1], plain[1])):
        expect(found.keys() == expected.keys(), f"{how}: expected outputs {sorted(expected)}, found {sorted(found)}")
        for name, value in expected.items():
            expect_close(f"{how}: {of}{name}", found[name], value, tolerance=1e-9)


def seeded(trial: Trial, block: nn.Module, call: BlockCall) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Computes outputs and gradients, always from one seed, so that dropout draws the same."""
    torch.default_generator.manual_seed(0)
    return differentiated(trial, block, call)
