"""Laws of calls: a call changes nothing, and only its inputs decide what comes back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, cast, differentiated

CALLS = 24


@law(13, "inputs stay", examples=3)
def inputs_stay(trial: Trial) -> None:
    """Inputs equal their clones after a call, in evaluation and in training mode."""
    block, before = trial.woken(), trial.inputs
    for training in (False, True):
        for scale in (1.0, 100.0):
            given = {name: scale * tensor if tensor.is_floating_point() else tensor for name, tensor in before.items()}
            clones = {name: tensor.clone() for name, tensor in given.items()}
            with torch.no_grad():
                trial.run(block.train(training), **given)
            for name, tensor in given.items():
                expect_close(f"{name} after a call, training={training},", tensor, clones[name])


@law(13, "same call twice", examples=3)
def same_call_twice(trial: Trial) -> None:
    """In evaluation mode a call always gives the same, whatever the random state, and leaves that alone."""
    block = trial.woken()
    with torch.no_grad(), own_random_state():
        expected = trial.run(block)
        for call in range(CALLS):
            random.seed(call)
            torch.default_generator.manual_seed(call)
            states = torch.get_rng_state(), random.getstate()
            for name, found in trial.run(block).items():
                expect_close(f"{name} of the same call again ({call + 2})", found, expected[name])
            expect(
                torch.equal(states[0], torch.get_rng_state()), "a call in evaluation mode moved torch's random state"
            )
            expect(states[1] == random.getstate(), "a call in evaluation mode moved the state of Python's `random`")


@contextmanager
def own_random_state() -> Iterator[None]:
    """Restores the random states of torch and Python."""
    kept = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(kept)


@law(13, "new values in old memory", examples=2)
def new_values_in_old_memory(trial: Trial) -> None:
    """Inputs that are overwritten in place give what the same values give elsewhere: nothing is kept by address."""
    block = trial.woken()
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            held = {name: tensor.clone() for name, tensor in trial.inputs.items()}
            trial.run(block, **held)
            for tensor in held.values():
                tensor.copy_(tensor.roll(1, 0) + 1)
            expected = trial.run(block, **{name: tensor.clone() for name, tensor in held.items()})
            for name, found in trial.run(block, **held).items():
                expect_close(f"{name} of inputs overwritten in place", found, expected[name])


@law(13, "dtype is kept", examples=2)
def dtype_is_kept(trial: Trial) -> None:
    """Outputs have the dtype of the inputs, in float64 and, where the block runs in it, in bfloat16."""
    for dtype in (torch.float64, torch.bfloat16):
        block = trial.woken()
        inputs = {name: x.to(dtype) if x.is_floating_point() else x for name, x in trial.inputs.items()}
        try:
            found = trial.run(cast(block, dtype), **inputs)
        except Exception as error:
            raise NotApplicable(f"it does not run in {dtype}: {type(error).__name__}") from error
        for name, value in found.items():
            fits = value.dtype == dtype or not value.is_floating_point()
            expect(fits, f"{name} of inputs and weights in {dtype}: expected that dtype, found {value.dtype}")


@law(13, "a zero frame", examples=2)
def zero_frame_stays_finite(trial: Trial) -> None:
    """A frame of zeros in any input, or in all, gives finite outputs and gradients."""
    block = trial.woken()
    for zeroed in [*([name] for name in trial.inputs), list(trial.inputs)]:
        changed = {name: without_first(x) if name in zeroed else x for name, x in trial.inputs.items()}
        for kind, found in zip(
            ("", "gradient of "), differentiated(replace(trial, inputs=changed), block), strict=True
        ):
            for name, value in found.items():
                what = f"{kind}{name}, the first frame of {' and '.join(zeroed)} zero: expected finite values, found "
                expect(bool(value.isfinite().all()), f"{what}{value[~value.isfinite()].flatten()[:1].tolist()}")


def without_first(tensor: Tensor) -> Tensor:
    """Returns a tensor whose first frame is zero."""
    return torch.cat([torch.zeros_like(tensor[:1]), tensor[1:]])


@law(13, "training is evaluation", examples=2)
def training_is_evaluation(trial: Trial) -> None:
    """Training mode computes what evaluation mode does, but for dropout and layers that keep statistics."""
    trial = trial.exact()
    block = trial.woken()
    expected = trial.run(block)
    block.train()
    for layer in block.modules():
        if type(layer).__module__.partition(".")[0] == "torch" or hasattr(layer, "running_mean"):
            layer.eval()
    state = torch.get_rng_state()
    found = trial.run(block)
    if not torch.equal(state, torch.get_rng_state()):
        raise NotApplicable("it draws random numbers in training mode")
    for name, value in found.items():
        expect_close(f"{name} in training mode", value, expected[name], tolerance=1e-9)
