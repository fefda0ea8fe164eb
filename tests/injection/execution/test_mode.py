"""Modes of execution combine in any order, keep a subclass and its hooks, and change no number."""

import copy
import pickle
from functools import partial
from itertools import permutations

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from toys import toy_encoder

from crossmodal.adapters import Bottleneck, guided_adapter
from crossmodal.alignment import learned_alignment
from crossmodal.injection import (
    Checkpointing,
    Lockstep,
    SelectiveCheckpointing,
    SideLockstep,
    checkpointed,
    couplers_for,
    fast_linears,
    freeze,
    half_precision,
    paired_as_released,
    recomputed,
    side,
)
from crossmodal.injection.execution.fast_linears import FastLinear
from crossmodal.injection.execution.recomputed import HOOKED

small = partial(
    guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1), align=learned_alignment
)


def half(lockstep):
    for encoder in lockstep.encoders.values():
        half_precision(encoder)
    return lockstep


every_product = partial(recomputed, min_flops_per_element=0)
MODES = {"checkpointed": checkpointed, "recomputed": every_product, "side": side, "half": half}
ORDERS = [
    pytest.param(order, marks=pytest.mark.slow if count == 3 else (), id="-".join(order))
    for count in (1, 2, 3, 4)  # three are all four, stopped before the last
    for order in permutations(MODES, count)
]


class Traced(Lockstep):
    """A lockstep of one's own: a step that is told apart, and an attribute."""

    scale = 1.0

    def advance(self, number, streams, taps):
        after = super().advance(number, streams, taps)
        return after._replace(streams={name: stream * self.scale for name, stream in after.streams.items()})


def built(kind=Lockstep):
    torch.manual_seed(0)
    encoders = {"visual": freeze(toy_encoder((1, 3))), "audio": freeze(toy_encoder((1, 1), width=6))}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_released(sites)
    model = kind(encoders, steps=steps, couplers=couplers_for(steps, sites, small))
    for name, parameter in model.couplers.named_parameters():
        if name.endswith(("scale", "gate")):
            parameter.data.fill_(0.3)
    return model.train()


def inputs():
    torch.manual_seed(1)
    return {name: torch.randn(3, 8, 3) for name in ("visual", "audio")}


def in_modes(lockstep, order):
    for name in order:
        torch.manual_seed(3)  # of the side projections
        lockstep = MODES[name](lockstep)
    return lockstep


def step(model):
    torch.manual_seed(2)
    coupled = model(inputs(), taps=("visual.stages.1.1.mlp",))
    ends = [*coupled.streams.values(), *coupled.taps.values()]
    sum(end.square().sum() for end in ends).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"ends": ends, "gradients": gradients, "buffers": dict(model.named_buffers()), "random": torch.rand(3)}


def saved_bytes(model):
    sizes = []
    with saved_tensors_hooks(lambda tensor: sizes.append(tensor.nbytes) or tensor, lambda tensor: tensor):
        model(inputs())
    return sum(sizes)


@pytest.fixture(scope="module")
def plain():
    """A training step of every model that side mode and half precision make, once."""
    return {kind: step(in_modes(built(), kind)) for kind in ((), ("side",), ("half",), ("side", "half"))}


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_gives_the_same_numbers_and_keeps_every_mode(order, plain):
    model = in_modes(built(), order)
    expected = plain[tuple(name for name in ("side", "half") if name in order)]
    torch.testing.assert_close(step(model), expected, rtol=1e-5, atol=1e-6)
    kept = {"checkpointed": Checkpointing, "recomputed": SelectiveCheckpointing}
    assert {type(mode) for mode in model.execution} == {kept[name] for name in order if name in kept}
    assert isinstance(model, SideLockstep) == ("side" in order)


@pytest.mark.parametrize("other", MODES)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_fast_linears_go_before_or_after_any_mode(other, first, plain):
    model = in_modes(built(), (other,))
    model = in_modes(fast_linears(built()), (other,)) if first else fast_linears(model)
    expected = plain[(other,) if other in ("side", "half") else ()]
    torch.testing.assert_close(step(model), expected, rtol=1e-5, atol=1e-6)
    assert {type(layer) for layer in model.couplers.modules() if isinstance(layer, nn.Linear)} == {FastLinear}


@pytest.mark.parametrize("first", [(), ("side",)], ids="".join)
def test_checkpointing_is_not_lost_whichever_mode_comes_first(first):
    saved = {
        order: saved_bytes(in_modes(built(), (*first, *order)))
        for order in ((), ("recomputed",), ("checkpointed",), *permutations(("recomputed", "checkpointed")))
    }
    assert saved[()] > saved[("recomputed",)] >= saved[("checkpointed",)]
    if HOOKED:  # before torch 2.14 what is kept is not counted
        assert saved[("recomputed",)] > saved[("checkpointed",)]
    assert saved[("recomputed", "checkpointed")] == saved[("checkpointed", "recomputed")] == saved[("checkpointed",)]


@pytest.mark.parametrize("order", list(permutations(("checkpointed", "recomputed"))), ids="-".join)
def test_a_subclass_its_attributes_and_all_hooks_are_kept(order, monkeypatch):
    plain, heard = built(Traced), []
    plain.scale = 0.5
    for name, module in {"lockstep": plain, "coupler": plain.couplers["stages0_0_attention"]}.items():
        module.register_forward_hook(lambda *_, name=name: heard.append(name))
    expected = step(copy.deepcopy(plain))
    heard.clear()
    made = in_modes(plain, order)
    assert type(made) is Traced
    torch.testing.assert_close(step(made), expected, rtol=1e-5, atol=1e-6)
    assert {"lockstep", "coupler"} == set(heard)


def test_a_hook_of_a_recomputed_coupler_runs_once():
    plain, heard = built(), []
    plain.couplers["stages0_0_attention"].register_forward_hook(lambda *_: heard.append(1))
    step(recomputed(plain))
    assert heard == [1]
    assert "forward" not in vars(plain.couplers["stages0_0_attention"])


def test_a_mode_leaves_the_lockstep_that_it_was_given_as_it_was():
    plain = built()
    made = recomputed(checkpointed(plain))
    made.register_forward_hook(lambda *_: pytest.fail("the plain one has no hook"))
    plain(inputs())
    assert plain.execution == ()
    assert "execution=[Checkpointing(), SelectiveCheckpointing(min_flops_per_element=128)]" in repr(made)


def test_the_same_mode_again_replaces_the_earlier_one():
    made = recomputed(checkpointed(recomputed(built(), min_flops_per_element=0)), min_flops_per_element=30)
    assert made.execution == (Checkpointing(), SelectiveCheckpointing(30))
    assert checkpointed(checkpointed(built())).execution == (Checkpointing(),)


def test_modes_may_be_set_by_hand_copied_and_pickled():
    model = side(built())
    model.execution = (Checkpointing(), SelectiveCheckpointing(30))
    expected = step(model)
    model.zero_grad()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.execution == model.execution
        assert step(other)["gradients"].keys() == expected["gradients"].keys()


def test_side_mode_of_a_class_of_its_own_is_refused_in_words():
    with pytest.raises(ValueError, match=r"is a Traced, whose own steps .*class SideTraced\(SideLockstep"):
        side(built(Traced))

    class SideTraced(SideLockstep, Traced):
        pass

    assert type(side(built(SideTraced))) is SideTraced
