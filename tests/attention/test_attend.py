import builtins
import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.attention import attend

BACKENDS = ("sdpa", "reference")


def attend_by_loops(query, key, value, bias, scale):
    """The formula, one query at a time."""
    attended = value.new_zeros(*query.shape[:3], value.shape[-1])
    for batch in range(query.shape[0]):
        for head in range(query.shape[2]):
            for row in range(query.shape[1]):
                logits = torch.stack([scale * (query[batch, row, head] @ one) for one in key[batch, :, head]])
                if bias is not None:
                    logits = logits + bias[batch % len(bias), head % bias.shape[1], row]
                weights = logits.exp()
                attended[batch, row, head] = (weights / weights.sum()) @ value[batch, :, head]
    return attended


@st.composite
def cases(draw):
    batch, query, key, head, width, value_width = (draw(st.integers(1, 4)) for _ in range(6))
    torch.manual_seed(draw(st.integers(0, 99)))
    tensors = [torch.randn(batch, n, head, w) for n, w in ((query, width), (key, width), (key, value_width))]
    bias = torch.randn(draw(st.sampled_from([1, batch])), draw(st.sampled_from([1, head])), query, key)
    return [t.double() for t in (*tensors, bias)], draw(st.booleans()), draw(st.none() | st.floats(-2, 2))


@given(cases())
def test_every_query_gets_the_softmax_mean_of_the_values(case):
    (query, key, value, bias), biased, scale = case
    bias = bias if biased else None
    expected = attend_by_loops(query, key, value, bias, query.shape[-1] ** -0.5 if scale is None else scale)
    for backend in BACKENDS:
        torch.testing.assert_close(attend(query, key, value, bias=bias, scale=scale, backend=backend), expected)


@settings(max_examples=8)
@given(cases())
def test_gradients_agree_with_finite_differences(case):
    (query, key, value, bias), *_ = case
    leaves = [tensor[:2, :2].clone().requires_grad_() for tensor in (query, key, value)]
    bias = bias[..., : leaves[0].shape[1], : leaves[1].shape[1]].clone().requires_grad_()
    bias = bias if len(bias) == 1 else bias[: len(leaves[0])]
    for backend in BACKENDS:
        call = lambda q, k, v, b: attend(q, k, v, bias=b, backend=backend)  # noqa: B023, E731
        assert torch.autograd.gradcheck(call, (*leaves, bias))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_key_behind_minus_infinity_is_not_seen(backend):
    query, key, value = torch.randn(2, 3, 2, 4), torch.randn(2, 5, 2, 4), torch.randn(2, 5, 2, 4)
    bias = torch.zeros(1, 1, 3, 5)
    bias[..., 3:] = -math.inf
    seen = attend(query, key[:, :3], value[:, :3], backend=backend)
    torch.testing.assert_close(attend(query, key, value, bias=bias, backend=backend), seen)


@pytest.mark.parametrize("backend", BACKENDS)
def test_law_10_compiled_equals_plain(backend):
    tensors = [torch.randn(2, 3, 2, 4, requires_grad=True) for _ in range(3)]
    bias = torch.randn(1, 2, 3, 3, requires_grad=True)
    compiled = torch.compile(attend, backend="aot_eager", fullgraph=True)
    results = []
    for call in (attend, compiled):
        out = call(*tensors, bias=bias, backend=backend)
        results.append((out, torch.autograd.grad(out.sin().sum(), (*tensors, bias))))
    torch.testing.assert_close(results[1], results[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_under_autocast_a_full_precision_bias_meets_half_precision_tensors(backend):
    query, bias = torch.randn(2, 3, 2, 4).bfloat16(), torch.randn(1, 2, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attended = attend(query, query, query, bias=bias, backend=backend)
    assert attended.dtype == torch.bfloat16
    expected = attend(*[query.double()] * 3, bias=bias.double())
    torch.testing.assert_close(attended.double(), expected, rtol=2e-2, atol=2e-2)


def test_shapes_survive_on_the_meta_device():
    query, bias = torch.zeros(2, 3, 2, 4, device="meta"), torch.zeros(1, 2, 3, 3, device="meta")
    for backend in BACKENDS:
        assert attend(query, query, query, bias=bias, backend=backend).shape == (2, 3, 2, 4)


QUERY = torch.zeros(2, 3, 2, 4)


def test_a_backend_that_does_not_exist_is_named_beside_those_that_do():
    with pytest.raises(ValueError, match=r"attend: backend='xformer' does not exist \(did you mean 'xformers'\?\)"):
        attend(QUERY, QUERY, QUERY, backend="xformer")
    with pytest.raises(ValueError, match="choose one of 'sdpa', 'xformers', 'reference'"):
        attend(QUERY, QUERY, QUERY, backend="flash")


def test_a_query_without_keys_is_named_by_the_reference():
    bias = torch.zeros(1, 2, 3, 3)
    bias[0, 1, 2] = -math.inf
    with pytest.raises(ValueError, match=r"1 of 6 rows of bias .* \(batch, head, query\) = \(0, 1, 2\)"):
        attend(QUERY, QUERY, QUERY, bias=bias, backend="reference")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"key": torch.zeros(2, 3, 2, 5)}, r"parameter 'key'(.|\n)*f32\[2,3,2,5\](.|\n)*width=4"),
        ({"value": torch.zeros(2, 7, 2, 4)}, r"parameter 'value'(.|\n)*f32\[2,7,2,4\](.|\n)*key=3"),
        ({"bias": torch.zeros(2, 2, 3, 1)}, r"parameter 'bias'(.|\n)*f32\[2,2,3,1\](.|\n)*key=3"),
        ({"bias": torch.zeros(3, 3)}, r"parameter 'bias'(.|\n)*f32\[3,3\]"),
        ({"value": QUERY.double()}, r"attend: query is torch.float32 but value is torch.float64"),
        ({"key": QUERY.to("meta")}, r"attend: query is cpu but key is meta"),
    ],
)
def test_law_12_what_does_not_fit_is_named_with_both_values(wrong, message):
    with pytest.raises(TypeCheckError, match=message):
        attend(**({"query": QUERY, "key": QUERY, "value": QUERY} | wrong))


def test_xformers_refuses_the_cpu_with_its_own_reasons_and_the_fix():
    pytest.importorskip("xformers")
    with pytest.raises(RuntimeError, match="backend='xformers' cannot run") as refusal:
        attend(QUERY, QUERY, QUERY, backend="xformers")
    assert "device=cpu (supported: {'cuda'})" in str(refusal.value)
    assert "use backend='sdpa'" in str(refusal.value)


def test_a_missing_xformers_is_named_with_its_extra(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "xformers"]:
        monkeypatch.delitem(sys.modules, name)
    find = builtins.__import__

    def no_xformers(name, *args, **kwargs):
        if name.partition(".")[0] == "xformers":
            raise ModuleNotFoundError("No module named 'xformers'")
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_xformers)
    with pytest.raises(ImportError, match=r'pip install "crossmodal-blocks\[xformers\]"'):
        attend(QUERY, QUERY, QUERY, backend="xformers")


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["sdpa", "xformers"])
@pytest.mark.parametrize("key", [49, 64])
def test_law_11_on_a_gpu(backend, key):
    torch.manual_seed(0)
    query, value = torch.randn(2, 49, 4, 32, device="cuda"), torch.randn(2, key, 4, 32, device="cuda")
    bias = torch.randn(1, 4, 49, key, device="cuda")
    results = []
    for name in (backend, "reference"):
        leaves = [tensor.clone().requires_grad_() for tensor in (query, value, bias)]
        out = attend(leaves[0], leaves[1], leaves[1], bias=leaves[2], backend=name)
        results.append((out, torch.autograd.grad(out.sin().sum(), leaves)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-2, atol=1e-2)  # TF32 inside the kernels
