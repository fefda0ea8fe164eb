import copy
import gc
import pickle
import weakref
from contextlib import ExitStack, contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses import FakeTensorMode

from crossmodal.attention import ContinuousPosition, CosineWindowAttention, WindowAttention
from crossmodal.cached_from_frozen import CachedFromFrozen


class Doubled(nn.Module):
    """Keeps twice its weight; counts how often it was computed."""

    def __init__(self, learns=False):
        super().__init__()
        self.inner = nn.Linear(2, 2).requires_grad_(learns)
        self.cached, self.made = CachedFromFrozen(), 0

    def make(self):
        self.made += 1
        return self.inner.weight * 2

    def forward(self):
        return self.cached.get(self.inner, self.make)

    def is_right(self):
        return torch.equal(self(), self.inner.weight * 2)


def test_it_is_computed_once_while_nothing_moves():
    block = Doubled()
    assert block() is block()
    assert block.made == 1
    assert not block().requires_grad


def test_it_is_computed_each_time_and_within_autograd_while_a_weight_learns():
    block = Doubled(learns=True)
    block().sum().backward()
    assert block.inner.weight.grad.eq(2).all()
    block()
    assert block.made == 2
    block.inner.requires_grad_(False)
    assert block() is block()


def loaded(block, **how):
    block.inner.load_state_dict({name: tensor + 1 for name, tensor in block.inner.state_dict().items()}, **how)


def written(block):
    with torch.no_grad():
        block.inner.weight.mul_(3)


def emptied(block):
    block.inner.to_empty(device="cpu")
    nn.init.ones_(block.inner.weight)


def trained(block):
    weight = block.inner.weight.requires_grad_()
    weight.grad = torch.ones_like(weight)
    torch.optim.AdamW([weight]).step()
    weight.requires_grad_(False)


MOVES = {
    "loaded": loaded,
    "assigned": lambda block: loaded(block, assign=True),
    "written": written,
    "emptied": emptied,
    "trained": trained,
    "replaced": lambda block: setattr(block.inner, "weight", nn.Parameter(torch.ones(2, 2), requires_grad=False)),
    "pointed elsewhere": lambda block: setattr(block.inner.weight, "data", torch.full((2, 2), 7.0)),
    "rounded and back": lambda block: block.to(torch.bfloat16).float(),
    "in double": lambda block: block.double(),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_it_is_computed_anew_when_a_weight_has_moved(move):
    block = Doubled()
    for _ in range(3):
        block()
        move(block)
        assert block.is_right()
        assert block().dtype == block.inner.weight.dtype
    assert block() is block()


def test_a_write_through_data_needs_clear():
    block = Doubled()
    block()
    block.inner.weight.data.fill_(5)
    block.cached.clear()
    assert block.is_right()


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda block: pickle.loads(pickle.dumps(block))])
def test_copies_start_empty_and_files_hold_weights_alone(twin):
    block = Doubled()
    size = len(pickle.dumps(block))
    block()
    assert len(pickle.dumps(block)) == size + len(pickle.dumps(1)) - len(pickle.dumps(0))
    other = twin(block)
    assert other.is_right()
    written(other)
    assert other.is_right()
    assert block.is_right()
    assert block.state_dict().keys() == {"inner.weight", "inner.bias"}


def test_only_the_latest_is_held():
    block = Doubled()
    first = weakref.ref(block())
    written(block)
    block()
    gc.collect()
    assert first() is None


def test_what_was_kept_in_inference_mode_serves_a_later_backward():
    block, factor = Doubled(), torch.ones(2, 2, requires_grad=True)
    with torch.inference_mode():
        block()
    (factor * block()).sum().backward()
    assert torch.equal(factor.grad, block.inner.weight * 2)
    assert block.made == 1


def test_weights_born_in_inference_mode_are_never_taken_for_unmoved():
    with torch.inference_mode():
        block = Doubled()
        block()
        block.inner.weight.add_(1)
        assert block.is_right()


def test_nothing_is_kept_on_meta_or_by_a_tracer():
    with torch.device("meta"):
        block = Doubled()
    assert block().is_meta
    emptied(block)
    assert block.is_right()
    with FakeTensorMode():
        fake = Doubled()
        fake()
    assert fake.cached._cached is None


def test_a_transform_that_brings_its_own_weights_gets_its_own():
    block = Doubled()
    block()
    weights = {name: torch.stack([tensor, tensor + 1]) for name, tensor in block.named_parameters()}
    several = torch.func.vmap(lambda given: torch.func.functional_call(block, given, ()))(weights)
    assert torch.equal(several, weights["inner.weight"] * 2)
    assert block.is_right()


def test_compiled_it_is_part_of_the_graph_and_nothing_is_written():
    block = Doubled()
    compiled = torch.compile(
        lambda x: x + block.cached.get(block.inner, lambda: block.inner.weight * 2), fullgraph=True, backend="aot_eager"
    )
    for _ in range(2):
        assert torch.equal(compiled(torch.ones(2, 2)), 1 + block.inner.weight * 2)
        assert block.cached._cached is None
        written(block)


@given(st.lists(st.sampled_from(["plain", "autocast", "inference", "products", "other default"]), max_size=4))
@settings(max_examples=20)
def test_what_is_cached_does_not_depend_on_the_modes_of_earlier_calls(history):
    torch.manual_seed(0)
    block = ContinuousPosition((3, 3), 2, hidden=7).requires_grad_(False)
    cache = CachedFromFrozen()
    expected = block().clone()
    for mode in history:
        with modes(mode):
            cache.get(block, block)
    assert torch.equal(cache.get(block, block), expected)
    with torch.autocast("cpu", torch.bfloat16):  # learning weights are never cached, and see the same numbers
        assert torch.equal(block(), expected)


@contextmanager
def modes(name):
    before = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        if name == "autocast":
            stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        if name == "inference":
            stack.enter_context(torch.inference_mode())
        try:
            torch.set_default_dtype(torch.float64 if name == "other default" else before[0])
            torch.set_float32_matmul_precision("medium" if name == "products" else before[1])
            yield
        finally:
            torch.set_default_dtype(before[0])
            torch.set_float32_matmul_precision(before[1])


def test_another_object_that_it_depends_on_is_another_result():
    block = Doubled()
    one, other = object(), object()
    first = block.cached.get(block.inner, block.make, one)
    assert block.cached.get(block.inner, block.make, one) is first
    assert block.cached.get(block.inner, block.make, other) is not first


def test_a_replaced_table_of_coordinates_is_noticed():
    attention = CosineWindowAttention(8, 2, (8, 8), window=4).requires_grad_(False)
    before = attention.bias().clone()
    attention.position.trained_with(2)
    assert not torch.equal(attention.bias(), before)


@pytest.mark.parametrize("build", [CosineWindowAttention, WindowAttention])
def test_window_attention_under_autocast_and_after_it(build):
    torch.manual_seed(0)
    first = build(8, 2, (8, 8), window=4, shift=2).requires_grad_(False)
    second, stream = copy.deepcopy(first), torch.randn(2, 64, 8)
    with torch.autocast("cpu", torch.bfloat16):
        alone = first(stream)
    exact = second(stream)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(second(stream), alone)
    assert torch.equal(first(stream), exact)
