import copy
import pickle

import pytest
import torch
from torch._subclasses import FakeTensorMode

from crossmodal.lazy_constant import LazyConstant

CPU = torch.device("cpu")
calls = []


def ramp(size, *, device):
    calls.append(size)
    return torch.arange(size, device=device, dtype=torch.float32)


def test_it_is_computed_once_a_device():
    calls.clear()
    constant = LazyConstant(ramp, 5)
    assert constant.on(CPU) is constant.on(CPU)
    assert constant.on(torch.device("meta")).is_meta
    assert not constant.on(CPU).is_meta
    assert calls == [5, 5]


def test_the_device_context_of_its_construction_does_not_matter():
    with torch.device("meta"):
        constant = LazyConstant(ramp, 5)
        assert constant.on(CPU).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda constant: pickle.loads(pickle.dumps(constant))])
def test_a_copy_carries_the_recipe(twin):
    constant = LazyConstant(ramp, 3)
    constant.on(CPU)
    assert twin(constant).on(CPU).tolist() == [0, 1, 2]


def test_what_was_made_in_inference_mode_serves_a_later_backward():
    constant = LazyConstant(ramp, 3)
    with torch.inference_mode():
        constant.on(CPU)
    weight = torch.ones(3, requires_grad=True)
    (weight * constant.on(CPU)).sum().backward()
    assert weight.grad.tolist() == [0, 1, 2]


def test_a_tracer_leaves_nothing_behind():
    constant = LazyConstant(ramp, 3)
    with FakeTensorMode():
        constant.on(CPU)
    assert constant.on(CPU).tolist() == [0, 1, 2]


def test_compiled_it_is_part_of_the_graph():
    constant = LazyConstant(ramp, 3)
    doubled = torch.compile(lambda x: x + constant.on(x.device), fullgraph=True, backend="aot_eager")
    assert doubled(torch.ones(3)).tolist() == [1, 2, 3]


def rounded(size, *, device):
    return torch.ones(size, size, device=device) @ torch.full((size, size), 1 / 3, device=device)


def test_the_modes_of_the_first_call_leave_no_trace_in_it():
    cpu = torch.device("cpu")
    with torch.autocast("cpu", torch.bfloat16):
        kept = LazyConstant(rounded, 3)
        first = kept.on(cpu)
    assert first.dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        exact = kept.on(cpu)
    finally:
        torch.set_default_dtype(torch.float32)
    assert exact.dtype == torch.float64
    assert kept.on(cpu) is first
