"""Laws of calls: a call changes nothing, and only its inputs decide what comes back."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, cast, differentiated, segments_of

CALLS = 64
"""How often the same call is repeated."""

WATCHED = 8
"""In how many of these calls the random states are looked at."""

FRAMES = 13
"""Clips of a batch that is longer than most that are drawn."""


@law(13, "inputs stay", examples=3)
def inputs_stay(trial: Trial) -> None:
    """Inputs equal their clones after a call, in both modes, with gradients and without, in small batches and large."""
    block = trial.woken()
    long = trial.longer(FRAMES * segments_of(block))
    for training, grad in product((False, True), (False, True)):
        for inputs, scale in ((trial.inputs, 1.0), (trial.inputs, 100.0), (long.inputs, 1.0)):
            given = {name: scale * tensor if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
            clones = {name: tensor.clone() for name, tensor in given.items()}
            with torch.set_grad_enabled(grad):
                trial.run(block.train(training), **given)
            asks = [name for name, tensor in given.items() if tensor.requires_grad]
            expect(not asks, f"a call turned `requires_grad` of {', '.join(asks)} on: leave that to the caller")
            for name, tensor in given.items():
                what = f"{name} after a call, training={training}, gradients={grad}: compute with a copy;"
                expect_close(what, tensor, clones[name])


@law(13, "same call twice", examples=3)
def same_call_twice(trial: Trial) -> None:
    """In evaluation a call always gives the same, and leaves the random states alone; no call or factory seeds them."""
    block = trial.woken()
    with own_random_state():
        repeated(trial, block, CALLS)
        draws_differ("a call in training mode", lambda: trial.run(block.train()))
        draws_differ("building the block", trial.build)


@law(13, "same call twice", examples=1)
def same_call_of_an_encoder_twice(trial: Trial) -> None:
    """In evaluation mode a call always gives the same, whatever the random states, and leaves them alone."""
    with own_random_state():
        repeated(trial, trial.woken(), 5)


@torch.no_grad()
def repeated(trial: Trial, block: nn.Module, calls: int) -> None:
    """Raises `Violation` where a call gives anything else than the first did, or moves a random state."""
    expected = trial.run(block)
    for call in range(calls):
        if call < WATCHED:
            seed_all(call)
            before = states_of_generators()
        for name, found in trial.run(block).items():
            expect_close(f"{name} of the same call again ({call + 2})", found, expected[name])
        for whose, state in states_of_generators().items() if call < WATCHED else ():
            expect(state == before[whose], f"a call in evaluation mode moved the random state of {whose}: draw nothing")


def draws_differ(what: str, do: Callable[[], Any]) -> None:
    """Raises `Violation` where random states that differed are alike afterwards: something seeds them."""
    after = []
    for seed in (1, 2):
        seed_all(seed)
        do()
        after.append(states_of_generators())
    for whose, state in after[0].items():
        expect(state != after[1][whose], f"{what} seeds {whose} for all: draw from a `torch.Generator` of its own")


def states_of_generators() -> dict[str, Any]:
    """Returns the random states of torch, of Python and, where it is imported, of numpy."""
    states = {"torch": torch.get_rng_state().tolist(), "Python's `random`": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        _, keys, *others = numpy.random.get_state()
        states["numpy"] = keys.tobytes(), *others
    return states


def seed_all(seed: int) -> None:
    """Seeds torch, Python and, where it is imported, numpy."""
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)


@contextmanager
def own_random_state() -> Iterator[None]:
    """Restores the random states of torch, Python and numpy."""
    kept, numpy = random.getstate(), sys.modules.get("numpy")
    of_numpy = numpy.random.get_state() if numpy else None
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(kept)
        if numpy:
            numpy.random.set_state(of_numpy)


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
            # the same memory, and the same count of changes: a version tells tensors apart no better than an address
            first = {name: tensor.data for name, tensor in held.items()}
            trial.run(block, **first)
            for tensor in held.values():
                tensor.copy_(tensor.roll(1, 0) + 1)
            expected = trial.run(block, **{name: tensor.clone() for name, tensor in held.items()})
            for name, found in trial.run(block, **{name: tensor.data for name, tensor in held.items()}).items():
                expect_close(f"{name} of other tensors in the same memory", found, expected[name])


@law(13, "dtype is kept", examples=2)
def dtype_is_kept(trial: Trial) -> None:
    """Outputs have the dtype of the inputs, in float64 and, where the block runs in them, in bfloat16 and float16."""
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        block = trial.woken()
        if dtype != torch.float64 and any(tensor.is_complex() for tensor in block.state_dict().values()):
            return  # no complex numbers go with it
        with torch.no_grad():
            trial.run(block)  # what it keeps of a call must follow its weights
        inputs = {name: x.to(dtype) if x.is_floating_point() else x for name, x in trial.inputs.items()}
        try:
            found = trial.run(cast(block, dtype), **inputs)
        except Exception as error:
            if dtype == torch.float16:
                return  # torch knows fewer functions of it
            raise NotApplicable(f"it does not run in {dtype}: {type(error).__name__}") from error
        for name, value in found.items():
            fits = value.dtype == dtype or not value.is_floating_point()
            expect(fits, f"{name} of inputs and weights in {dtype}: expected that dtype, found {value.dtype}")


@law(13, "a zero frame", examples=2)
def zero_frame_stays_finite(trial: Trial) -> None:
    """A frame that is zero, or constant over tokens or channels, leaves outputs and gradients finite."""
    stays_finite(trial, trial.woken())


def stays_finite(trial: Trial, block: nn.Module, *, gradients: bool = True) -> None:
    """Raises `Violation` where a flat first frame of an input, or of all, gives anything that is not finite."""
    for how, flat in FLAT.items():
        for flattened in [*([name] for name in trial.inputs), list(trial.inputs)]:
            changed = {
                name: torch.cat([flat(x[:1]), x[1:]]) if name in flattened and x.is_floating_point() else x
                for name, x in trial.inputs.items()
            }
            if gradients:
                found, gained = differentiated(replace(trial, inputs=changed), block)
                found |= {f"gradient of {name}": gradient for name, gradient in gained.items()}
            else:
                with torch.no_grad():
                    found = trial.run(block, **changed)
            for name, value in found.items():
                expect(
                    bool(value.isfinite().all()),
                    f"{name}, the first frame of {' and '.join(flattened)} {how}: expected finite values, found "
                    f"{value[~value.isfinite()].flatten()[:1].tolist()}: add a small number to what it divides by",
                )


FLAT: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "one everywhere": torch.ones_like,
    "constant over tokens": lambda frame: frame[:, :1].expand_as(frame),
    "constant over channels": lambda frame: frame[..., :1].expand_as(frame),
}
"""Frames that vary along fewer axes than a block may divide by the deviation of."""


@law(13, "training is evaluation", examples=2)
def training_is_evaluation(trial: Trial) -> None:
    """Training mode computes what evaluation mode does, gradients too, but for dropout and layers with statistics."""
    trial = trial.exact()
    block = trial.woken()
    for played in (trial, trial.longer(FRAMES * segments_of(block))):
        expected = differentiated(played, block.eval())
        block.train()
        for layer in block.modules():
            if type(layer).__module__.partition(".")[0] == "torch" or hasattr(layer, "running_mean"):
                layer.eval()
        state = torch.get_rng_state()
        found = differentiated(played, block)
        if not torch.equal(state, torch.get_rng_state()):
            raise NotApplicable("it draws random numbers in training mode")
        for kind, values, wanted in zip(("", "gradient into "), found, expected, strict=True):
            for name, value in values.items():
                expect_close(f"{kind}{name} in training mode", value, wanted[name], tolerance=1e-9)
