"""The laws of keeping: a block survives saving, copying, and being built without data."""

import copy
import pickle

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, shapes


@law(13, "state_dict round trip", examples=4)
def state_dict_round_trip(trial: Trial) -> None:
    """A block that loads the state_dict of another, strictly, computes what that one does."""
    one, other = trial.woken(), trial.build().eval()
    other.load_state_dict(one.state_dict())
    agree(trial, "after load_state_dict", other, one)


@law(13, "copies", examples=4)
def copies(trial: Trial) -> None:
    """A deep copy and an unpickled block compute what the original does, and share nothing with it."""
    block = trial.woken()
    independent(trial, block, copy.deepcopy(block), "deepcopy")
    if parametrized := [name for name, layer in block.named_modules() if is_parametrized(layer)]:
        raise NotApplicable(f"torch pickles no parametrized layer ({parametrized[0]!r}); a deep copy was compared")
    independent(trial, block, pickle.loads(pickle.dumps(block)), "pickle")


def independent(trial: Trial, block: nn.Module, twin: nn.Module, how: str) -> None:
    """Raises `Violation` where a copy computes otherwise, or changes the block when it is overwritten."""
    before = trial.run(block)
    agree(trial, how, twin, block)
    overwrite(twin)  # a tensor that both share would change the original
    for name, value in trial.run(block).items():
        expect_close(f"{name}, the {how} of the block overwritten,", value, before[name])


@law(13, "one home", examples=1)
def one_home(trial: Trial) -> None:
    """Every parameter, every buffer and every layer that holds one is registered under one name."""
    block = trial.build()
    layers = [(name, layer) for name, layer in block.named_modules(remove_duplicate=False) if [*layer.parameters()]]
    tensors = [
        *block.named_parameters(remove_duplicate=False),
        *block.named_buffers(remove_duplicate=False),
    ]
    for kind, named in (("layer", layers), ("tensor", tensors)):
        homes: dict[int, str] = {}
        for name, thing in named:
            first = homes.setdefault(id(thing), name)
            expect(
                first == name, f"{kind} {first!r} is also {name!r}: one of them would be saved, moved and trained twice"
            )


@law(13, "built on meta", examples=4)
def built_on_meta(trial: Trial) -> None:
    """Built on meta and loaded, after emptying or by assignment, equals built on the CPU: no table is lost."""
    here = trial.woken()
    with torch.device("meta"):
        emptied, assigned = trial.build().to("meta").to_empty(device="cpu"), trial.build().to("meta")
    overwrite(emptied)
    emptied.load_state_dict(here.state_dict())
    agree(trial, "built on meta, emptied and loaded", emptied.eval(), here)
    assigned.load_state_dict(here.state_dict(), assign=True)
    agree(trial, "built on meta and loaded by assignment", assigned.eval(), here)


@law(13, "repr shows the sizes", examples=2)
def repr_shows_the_sizes(trial: Trial) -> None:
    """Blocks whose weights differ in size differ in `repr`."""
    one, other = trial.build(), trial.another()
    if other is None:
        raise NotApplicable("one block alone was given, or widths that bound it to one size")
    if shapes(one) == shapes(other):
        raise NotApplicable("its weights have the same sizes in blocks built for other widths")
    expect(repr(one) != repr(other), f"two blocks, of {shapes(one)} and {shapes(other)}, both show as {one!r}")


def agree(trial: Trial, how: str, found: nn.Module, expected: nn.Module) -> None:
    """Raises `Violation` where two blocks disagree in any bit."""
    outputs = trial.run(found)
    for name, value in trial.run(expected).items():
        expect_close(f"{name} {how}", outputs[name], value)


def overwrite(block: nn.Module) -> None:
    """Overwrites all parameters and buffers, with nan where there is one."""
    with torch.no_grad():
        for tensor in [*block.parameters(), *block.buffers()]:
            tensor.fill_(torch.nan if tensor.is_floating_point() else 0)
