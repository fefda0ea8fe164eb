"""Laws of memory: where inputs lie does not matter, and results stay what they were."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..law import Violation, expect_close, law
from ..trial import Trial, differentiated
from .learning import jittered


@law(13, "memory layout", examples=2)
def memory_layout(trial: Trial) -> None:
    """Inputs that are transposed, sliced, shifted or expanded in memory give what contiguous ones give."""
    trial = trial.exact()
    block = trial.woken()
    with torch.no_grad():
        expected = trial.run(block)
        for name, tensor in trial.inputs.items():
            for how, laid in layouts(tensor):
                try:
                    found = trial.run(block, **{name: laid})
                except Exception as error:
                    raise Violation(
                        f"{name} {how} in memory: it raised {type(error).__name__}: {error}. Use `reshape` in place of "
                        f"`view`, or `contiguous()` first."
                    ) from error
                for output, value in found.items():
                    expect_close(f"{output}, {name} {how} in memory,", value, expected[output], tolerance=1e-9)
            alike = tensor[:1].expand_as(tensor)
            for output, value in trial.run(block, **{name: alike.clone()}).items():
                found = trial.run(block, **{name: alike})
                expect_close(f"{output}, {name} expanded from one frame,", found[output], value, tolerance=1e-9)


def layouts(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yields tensors equal to a given one that lie otherwise in memory, each with the word for it."""
    yield (
        "transposed",
        tensor.transpose(-1, 1 if tensor.dim() > 2 else 0)
        .clone()
        .contiguous()
        .transpose(-1, 1 if tensor.dim() > 2 else 0),
    )
    # what lies between and before is nan where there is one: reading it shows
    other = torch.full_like(tensor, torch.nan) if tensor.is_floating_point() else torch.zeros_like(tensor)
    yield "sliced", torch.stack([tensor, other], -1)[..., 0]
    yield "shifted", torch.cat([other[:1], tensor])[1:]


@law(13, "results stay", examples=2)
def results_stay(trial: Trial) -> None:
    """A later call leaves the results of an earlier one, and its gradients; what is written to a result moves no call.

    The tensors are those that the block returns; one that it expands cannot be written to.
    """
    trial = trial.exact()
    block, other = trial.woken(), jittered(trial)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            first = trial.run(block)
            kept = {name: value.detach().clone() for name, value in first.items()}
            trial.run(block, **other.inputs)
            for name, value in first.items():
                expect_close(f"{name} of a call, after the next call with other inputs,", value, kept[name])
    with torch.no_grad():
        found = trial.run(block, **copies_of(trial))
        kept = {name: value.clone() for name, value in found.items()}
        for value in found.values():
            if all(stride or size == 1 for size, stride in zip(value.shape, value.stride(), strict=True)):
                value.add_(1)
        for name, value in trial.run(block, **copies_of(trial)).items():
            expect_close(
                f"{name} of the same call, the result of the first overwritten: return a copy;", value, kept[name]
            )

    def followed(block: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
        result = trial.call(block, inputs)
        trial.call(block, other.inputs)
        return result

    expected, found = differentiated(trial, block)[1], differentiated(trial, block, followed)[1]
    for name, value in expected.items():
        what = f"gradient of {name}, another call before the backward: keep what it needs in `ctx`, not in the block;"
        expect_close(what, found[name], value, tolerance=1e-9)


def copies_of(trial: Trial) -> dict[str, Tensor]:
    """Returns copies of the inputs of a trial."""
    return {name: tensor.clone() for name, tensor in trial.inputs.items()}
