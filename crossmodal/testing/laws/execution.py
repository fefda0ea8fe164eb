"""The laws of execution: checkpointed, compiled or plain, a block computes the same."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm as SpectralNorm
from torch.utils.checkpoint import checkpoint

from ..law import NotApplicable, expect, expect_close, law
from ..trial import BlockCall, Trial, differentiated


@law(10, "checkpointed", examples=3)
def checkpointed_agrees(trial: Trial) -> None:
    """Checkpointed and plain execution give the same outputs and gradients, in training mode too."""
    trial = trial.exact()
    for training in (False, True):
        block = trial.woken().train(training)
        if training and any(isinstance(layer, SpectralNorm) for layer in block.modules()):
            raise NotApplicable("torch's spectral_norm moves with every call in training mode; evaluation was compared")

        def recomputed(block: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
            return checkpoint(trial.call, block, inputs, use_reentrant=False)

        same_execution(trial, block, recomputed, "checkpointed")


@law(10, "compiled", examples=2)
def compiled_agrees(trial: Trial) -> None:
    """Compiled (`fullgraph=True`, `aot_eager`) and plain execution give the same outputs and gradients."""
    trial = trial.exact()
    block = trial.woken()
    if recurrent := [type(layer).__name__ for layer in block.modules() if isinstance(layer, nn.RNNBase)]:
        raise NotApplicable(f"torch traces no nn.{recurrent[0]} into one graph")
    try:
        same_execution(trial, block, compiled(trial, "aot_eager"), "compiled")
    except RuntimeError as error:
        # Where the captured graph runs as it is, the block is sound and torch's own differentiation of it fails.
        same_execution(trial, block, compiled(trial, "eager"), "compiled")
        raise NotApplicable(f"torch's own aot_eager fails on a graph that runs eagerly: {error}") from error
    finally:
        torch.compiler.reset()


def compiled(trial: Trial, backend: str) -> BlockCall:
    """Compiles the trial's call anew: graphs of earlier blocks would count against torch's limit of recompilations."""
    torch.compiler.reset()
    return torch.compile(trial.call, fullgraph=True, backend=backend)


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
