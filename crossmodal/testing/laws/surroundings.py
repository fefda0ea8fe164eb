"""Laws of surroundings: what is set elsewhere does not move a block, and a call leaves all of it as it was."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn

from ..law import NotApplicable, Violation, expect, expect_close, law
from ..trial import Trial


@law(13, "weights stay", examples=2)
def weights_stay(trial: Trial) -> None:
    """A call moves no parameter, and in evaluation no buffer; modes and `requires_grad` stay as they were."""
    block = trial.build()
    before = held_by(block)
    for training in (False, True):
        trial.run(block.train(training))
        changed = sorted(before ^ held_by(block))
        expect(not changed, f"a call registers or drops {', '.join(changed)}: build all in `__init__`")
    block = trial.woken()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.mul_(4)  # past bounds that an earlier call may have brought it within
    for frozen in (False, True):
        for training in (False, True):
            block.train(training).requires_grad_(not frozen)
            state = {name: tensor.detach().clone() for name, tensor in block.state_dict().items()}
            learned, modes = dict(block.named_parameters()), [layer.training for layer in block.modules()]
            trial.run(block)
            mode = f"a call in {'training' if training else 'evaluation'} mode"
            for name, tensor in block.state_dict().items():
                if name in state and (name in learned or not training):
                    expect_close(f"{name} after {mode}: compute with a copy;", tensor, state[name])
            given = [name for name, parameter in block.named_parameters() if parameter.grad is not None]
            expect(not given, f"{mode} gave a gradient to {', '.join(given)}: leave `backward` to who trains the block")
            asks = [name for name, parameter in block.named_parameters() if parameter.requires_grad is frozen]
            expect(not asks, f"{mode} turned `requires_grad` of {', '.join(asks)}: leave that to who trains the block")
            names = [
                name
                for (name, layer), mode in zip(block.named_modules(), modes, strict=True)
                if layer.training is not mode
            ]
            expect(not names, f"{mode} turned the mode of {names}: leave `train` and `eval` to who calls the block")


def held_by(block: nn.Module) -> set[str]:
    """Names the weights that a block saves, its layers, and how many hooks each has."""
    layers = {
        f"layer {name!r} with {len(layer._forward_hooks) + len(layer._forward_pre_hooks)} hooks"
        for name, layer in block.named_modules()
    }
    return layers | {f"weight {name!r}" for name in block.state_dict()}


SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.is_grad_enabled()": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.get_default_dtype()": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.get_num_threads()": (torch.get_num_threads, torch.set_num_threads),
    "torch.get_float32_matmul_precision()": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "torch.get_deterministic_debug_mode()": (
        torch.get_deterministic_debug_mode,
        torch.set_deterministic_debug_mode,
    ),
    "torch.is_autocast_enabled('cpu')": (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda on: torch.set_autocast_enabled("cpu", on),
    ),
    "torch.is_anomaly_enabled()": (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    "torch.backends.cudnn.benchmark": (
        lambda: torch.backends.cudnn.benchmark,
        lambda on: setattr(torch.backends.cudnn, "benchmark", on),
    ),
    "torch.backends.cudnn.deterministic": (
        lambda: torch.backends.cudnn.deterministic,
        lambda on: setattr(torch.backends.cudnn, "deterministic", on),
    ),
}
"""Settings of torch for the whole process: how each is read, and how it is set."""


@contextmanager
def settings_restored() -> Iterator[None]:
    """Sets every setting back to what it was."""
    kept = {name: read() for name, (read, _) in SETTINGS.items()}
    try:
        yield
    finally:
        for name, (read, write) in SETTINGS.items():
            if read() != kept[name]:
                write(kept[name])


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Sets the default dtype within."""
    with settings_restored():
        torch.set_default_dtype(dtype)
        yield


@law(13, "settings of torch", examples=2)
def settings_of_torch(trial: Trial) -> None:
    """A call leaves the settings of torch alone, and computes the same without gradients and for any default dtype."""
    for training in (False, True):
        with settings_restored(), torch.no_grad():
            before = {name: read() for name, (read, _) in SETTINGS.items()}
            trial.run(trial.build().train(training))
            for name, (read, _) in SETTINGS.items():
                expect(read() == before[name], f"a call turned {name} from {before[name]} to {read()} for all")
    block = trial.woken()
    computes_the_same(trial, block, "the default dtype float64", default_dtype(torch.float64), 1e-5)
    exact = trial.exact()
    precise = exact.woken()
    computes_the_same(exact, precise, "gradients off", torch.no_grad(), 1e-9)
    computes_the_same(exact, precise, "inference mode", torch.inference_mode(), 1e-9)


def computes_the_same(
    trial: Trial, block: nn.Module, where: str, surroundings: AbstractContextManager[Any], tolerance: float
) -> None:
    """Raises `Violation` where a block gives other numbers, or another dtype, in other surroundings."""
    expected = trial.run(block)
    with surroundings:
        try:
            found = trial.run(block)
        except Exception as error:
            raise Violation(f"with {where}, it raised {type(error).__name__}: {error}") from error
        found = {name: value.clone() for name, value in found.items()}
    for name, value in expected.items():
        at = f"{name} with {where}"
        expect(found[name].dtype == value.dtype, f"{at}: expected {value.dtype}, found {found[name].dtype}")
        expect_close(at, found[name], value, tolerance=tolerance)


@law(13, "another device", examples=2)
def another_device(trial: Trial) -> None:
    """Moved to another device, it computes there: what it makes and keeps lies where its weights and inputs do.

    The other device is `meta`, which every machine has; a block that reads values of tensors cannot run there.
    """
    block = trial.woken()
    with torch.no_grad():
        trial.run(block)  # what it keeps of a call on the CPU is of no use there
        moved = copy.deepcopy(block).to("meta")
        try:
            found = trial.run(moved, **{name: tensor.to("meta") for name, tensor in trial.inputs.items()})
        except Exception as error:
            said = str(error).splitlines()[0] if str(error) else ""
            if isinstance(error, NotImplementedError) or ("same device" not in said and "cpu" not in said):
                raise NotApplicable(f"it does not run on `meta`, which has no values: {said}") from error
            raise Violation(
                f"on another device than the CPU, it raised {type(error).__name__}: {said}. Make tensors with "
                f"`device=stream.device`, and register tables as buffers."
            ) from error
    for name, value in found.items():
        expect(value.is_meta, f"{name} on another device than the CPU: expected it there, found it on {value.device}")
