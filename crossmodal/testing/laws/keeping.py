"""The laws of keeping: a block survives saving, copying, and being built without data."""

import copy
import pickle

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, shapes


@law(13, "state_dict round trip", examples=4)
def state_dict_round_trip(trial: Trial) -> None:
    """A block that loads another's state_dict, strictly, alone or inside another, computes what that one does.

    It has been called before, so that what it keeps of its weights must follow them.
    """
    one, other = trial.woken(), trial.build().eval()
    called(trial, other)
    other.load_state_dict(one.state_dict())
    agree(trial, "after load_state_dict", other, one)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.mul_(1.25)  # as a step of training would
    inner = trial.build().eval()
    nn.ModuleDict({"inner": inner}).load_state_dict(nn.ModuleDict({"inner": one}).state_dict())
    agree(trial, "after load_state_dict of the module that holds it, its weights moved,", inner, one)


def called(trial: Trial, block: nn.Module) -> None:
    """Calls a block with gradients and without, so that it keeps whatever it keeps."""
    with torch.no_grad():
        trial.run(block)
    trial.run(block)


@law(13, "copies", examples=4)
def copies(trial: Trial) -> None:
    """A deep copy and an unpickled block compute what the original does, and share nothing with it."""
    block = trial.woken()
    called(trial, block)
    independent(trial, block, copy.deepcopy(block), "deepcopy")
    if parametrized := parametrized_layers(block):
        raise NotApplicable(f"torch pickles no parametrized layer ({parametrized[0]!r}); a deep copy was compared")
    independent(trial, block, pickle.loads(pickle.dumps(block)), "pickle")


def parametrized_layers(block: nn.Module) -> list[str]:
    """Lists the layers whose weights a parametrization of torch computes."""
    return [name for name, layer in block.named_modules() if is_parametrized(layer)]


def independent(trial: Trial, block: nn.Module, twin: nn.Module, how: str) -> None:
    """Raises `Violation` where a copy computes otherwise, or changes the block when it is overwritten."""
    before = trial.run(block)
    agree(trial, how, twin, block)
    for (name, kept), (_, found) in zip(block.named_parameters(), twin.named_parameters(), strict=True):
        expect(found.requires_grad == kept.requires_grad, f"the {how} turned `requires_grad` of {name}")
    for (name, layer), (_, other) in zip(block.named_modules(), twin.named_modules(), strict=True):
        expect(other.training == layer.training, f"the {how} turned the mode of {name or 'the block'}")
    overwrite(twin)  # a tensor that both share would change the original
    for name, value in trial.run(block).items():
        expect_close(f"{name}, the {how} of the block overwritten,", value, before[name])


@law(13, "one home", examples=1)
def one_home(trial: Trial) -> None:
    """Every parameter, buffer and layer that holds one has one name; blocks that are built apart train apart."""
    block, twin = trial.build(), trial.build()
    trained = {memory_of(parameter) for parameter in block.parameters() if parameter.requires_grad}
    for name, parameter in twin.named_parameters():
        expect(
            memory_of(parameter) not in trained,
            f"parameter {name!r} is also that of another block of the factory: one would train the other",
        )
    layers = [(name, layer) for name, layer in block.named_modules(remove_duplicate=False) if [*layer.parameters()]]
    tensors = [
        *block.named_parameters(remove_duplicate=False),
        *block.named_buffers(remove_duplicate=False),
    ]
    for kind, named in (("layer", layers), ("tensor", tensors)):
        homes: dict[int, str] = {}
        for name, thing in named:
            first = homes.setdefault(memory_of(thing), name)
            expect(
                first == name, f"{kind} {first!r} is also {name!r}: one of them would be saved, moved and trained twice"
            )


def memory_of(thing: nn.Module | Tensor) -> int:
    """Returns where a tensor that holds something begins in memory; of another thing, its identity."""
    return thing.data_ptr() if isinstance(thing, Tensor) and thing.numel() else id(thing)


@law(13, "built on meta", examples=4)
def built_on_meta(trial: Trial) -> None:
    """Built on meta and loaded, after emptying or by assignment, equals built on the CPU: no table is lost."""
    here = trial.woken()
    try:
        with torch.device("meta"):
            emptied, assigned = trial.build().to("meta").to_empty(device="cpu"), trial.build().to("meta")
    except Exception as error:
        if parametrized := parametrized_layers(here):
            raise NotApplicable(f"torch builds no such parametrized layer ({parametrized[0]!r}) on meta") from error
        raise
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
    """Raises `Violation` where two blocks disagree in any bit, with gradients or without."""
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            outputs = trial.run(found)
            for name, value in trial.run(expected).items():
                expect_close(f"{name} {how}", outputs[name], value)


def overwrite(block: nn.Module) -> None:
    """Overwrites all parameters and buffers, with nan where there is one."""
    with torch.no_grad():
        for tensor in [*block.parameters(), *block.buffers()]:
            tensor.fill_(torch.nan if tensor.is_floating_point() else 0)
