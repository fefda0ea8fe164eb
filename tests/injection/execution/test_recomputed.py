"""A lockstep that recomputes what is cheap is the plain one, keeps less, and runs no dear product again."""

import copy
from functools import partial
from itertools import product

import pytest
import torch
from torch import nn
from toys import Mix, ToyAdapter

from crossmodal.adapters import Adapted, guided_adapter
from crossmodal.alignment import learned_alignment
from crossmodal.injection import SelectiveCheckpointing, recomputed
from crossmodal.injection.execution.recomputed import HOOKED
from crossmodal.ledger import cost

from .test_checkpointed import Dropping, bottleneck, inputs, lockstep, step

full = partial(guided_adapter, latents=2, bottleneck=bottleneck, align=learned_alignment)
NEVER = 10**9


class InPlace(ToyAdapter):
    """Changes the result of a product in place, twice, through a view of it."""

    def forward(self, stream, guide):
        residual, maps = super().forward(stream, guide)
        return Adapted(nn.functional.linear(residual, torch.eye(stream.shape[2]).to(stream)).mul_(2).tanh_(), maps)


@pytest.mark.parametrize(("factory", "least"), [*product((full, Dropping), (0, 30, NEVER)), (InPlace, 30)])
def test_a_training_step_is_the_same(factory, least):
    """Maps, taps, gradients, statistics, random numbers; whichever products are kept."""
    plain = lockstep(factory).train()
    other = step(recomputed(copy.deepcopy(plain), min_flops_per_element=least))
    torch.testing.assert_close(other, step(plain), rtol=1e-12, atol=1e-14)


def test_what_is_kept_and_what_runs_again():
    """All products kept: as many operations as ever. None kept: one more forward of the couplers, and least kept."""
    model = lockstep(full)
    kept = partial(recomputed, model)
    models = model, kept(min_flops_per_element=0), kept(min_flops_per_element=NEVER)
    plain, every, none = (cost(made, inputs()) for made in models)
    assert every.total.step == plain.total.step
    assert every["couplers"].saved < plain["couplers"].saved
    if HOOKED:  # before torch 2.14 what is kept is not counted
        assert none["couplers"].saved < every["couplers"].saved
    assert none.total.step == plain.total.step + plain["couplers"].forward
    assert every["encoders"] == plain["encoders"]


def test_it_holds_the_very_same_modules_under_the_same_names():
    plain = lockstep(full).eval()
    made = recomputed(plain)
    assert list(made.state_dict()) == list(plain.state_dict())
    assert all(one is other for one, other in zip(plain.parameters(), made.parameters(), strict=True))
    assert not made.training
    assert "min_flops_per_element=128" in repr(made)
    assert made.execution == (SelectiveCheckpointing(128),)
    assert plain.execution == ()


def test_without_gradients_nothing_is_kept():
    made = recomputed(lockstep(full).eval())
    with torch.no_grad():
        expected = lockstep(full).eval()(inputs()).streams
        torch.testing.assert_close(made(inputs()).streams, expected, rtol=0, atol=0)


def test_a_kept_product_that_is_overwritten_in_place_is_refused():
    with pytest.raises(RuntimeError, match=r"recomputed: an adapter overwrites .*mul_.*: write it out of place"):
        step(recomputed(lockstep(InPlace).train(), min_flops_per_element=0))


def test_a_second_backward_is_refused():
    made = recomputed(lockstep(full).train(), min_flops_per_element=0)
    total = sum(stream.square().sum() for stream in made(inputs()).streams.values())
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match=r"recomputed: what is kept serves one backward, .* take checkpointed\(\)"):
        total.backward()


class Moody(ToyAdapter):
    """Takes another product every time."""

    def forward(self, stream, guide):
        residual, maps = super().forward(stream, guide)
        self.calls = getattr(self, "calls", 0) + 1
        square = torch.eye(stream.shape[2]).to(stream)
        mixed = residual @ (square if self.calls % 2 else square.expand(len(stream), -1, -1).clone())
        return Adapted(mixed.sin(), maps)


def test_a_forward_that_does_something_else_is_refused():
    with pytest.raises(RuntimeError, match=r"asks for another operation: its forward must do the same"):
        step(recomputed(lockstep(Moody).train(), min_flops_per_element=0))


@pytest.mark.slow
def test_compiled_whole_it_is_the_plain_one(monkeypatch):
    monkeypatch.setattr(Mix, "forward", lambda self, stream: stream + self.linear(stream).tanh())  # counts no calls
    model = lockstep(partial(guided_adapter, latents=2, bottleneck=bottleneck)).train()
    eager = step(model)["outputs"]
    found = step(torch.compile(recomputed(copy.deepcopy(model)), fullgraph=True, backend="aot_eager"))["outputs"]
    torch.testing.assert_close(found, eager)
