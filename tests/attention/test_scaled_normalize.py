import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.attention.scaled_normalize import scaled_normalize


def drawn(seed, heads=3, width=4, dtype=torch.float64):
    torch.manual_seed(seed)
    return torch.randn(2, 5, heads, width, dtype=dtype), torch.rand(heads, 1, dtype=dtype) + 0.5


def normalised(vectors, length):
    return F.normalize(vectors, dim=-1) * length


@given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 5))
def test_values_and_gradients_are_those_of_normalising_and_scaling(seed, heads, width):
    given = [tensor.requires_grad_() for tensor in drawn(seed, heads, width)]
    ours, theirs = scaled_normalize(*given), normalised(*given)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    received = torch.randn_like(ours)
    for our, their in zip(*(torch.autograd.grad(out, given, received) for out in (ours, theirs)), strict=True):
        torch.testing.assert_close(our, their, atol=1e-12, rtol=0)


def test_it_differentiates_once_and_twice():
    given = [tensor.requires_grad_() for tensor in drawn(0, heads=2, width=3)]
    assert torch.autograd.gradcheck(scaled_normalize, given)
    assert torch.autograd.gradgradcheck(scaled_normalize, given)


def test_a_vector_of_nothing_stays_nothing_and_has_a_finite_gradient():
    vectors, length = torch.zeros(1, 1, 1, 3, requires_grad=True), torch.ones(1, 1)
    scaled_normalize(vectors, length).sum().backward()
    assert vectors.grad.isfinite().all()
    assert not scaled_normalize(vectors, length).any()


def test_only_the_result_and_one_number_a_vector_are_kept():
    vectors, length = drawn(0, heads=2, width=64)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        result = scaled_normalize(vectors.requires_grad_(), length)
    sizes = {tensor.untyped_storage().data_ptr(): tensor.numel() for tensor in kept}
    assert vectors.untyped_storage().data_ptr() not in sizes
    assert sum(sizes.values()) == result.numel() + result.numel() // 64 + length.numel()


def test_in_bfloat16_the_length_is_that_of_float32():
    vectors, length = drawn(0, width=32, dtype=torch.bfloat16)
    result = scaled_normalize(vectors, length)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), normalised(vectors.float(), length.float()), atol=0, rtol=2**-8)


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_and_under_a_transform_it_is_the_same(dynamic):
    vectors, length = drawn(0)
    compiled = torch.compile(scaled_normalize, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    given = [vectors.requires_grad_(), length.requires_grad_()]
    plain = torch.autograd.grad(scaled_normalize(*given).square().sum() + scaled_normalize(*given).sum(), given)
    found = torch.autograd.grad(compiled(*given).square().sum() + compiled(*given).sum(), given)
    torch.testing.assert_close(found, plain)
    mapped = torch.func.vmap(scaled_normalize, in_dims=(0, None))(vectors.detach(), length.detach())
    torch.testing.assert_close(mapped, scaled_normalize(vectors, length).detach())
