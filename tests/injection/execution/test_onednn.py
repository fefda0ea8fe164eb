import pytest
import torch
from torch import nn
from torch.autograd import forward_ad, grad
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import crossmodal.injection.execution.onednn as module
from crossmodal.encoders.feed_forward import FeedForward
from crossmodal.injection import fast_linears
from crossmodal.injection.execution.onednn import PIECE, OneDNN, for_onednn, pieces, product

linear, times = OneDNN.linear, OneDNN.times

SIZES = {
    "many rows": ((8, 4096, 32), 64),
    "few rows": ((2, 8, 1024), 1536),
    "frames of windows": ((2, 16, 16, 256), 256),
}


@pytest.fixture
def calls(monkeypatch):
    """How often a product went to oneDNN."""
    found = []
    monkeypatch.setattr(module, "product", lambda *given, **named: found.append(1) or product(*given, **named))
    return found


def tensors(shape, width, **options):
    torch.manual_seed(0)
    weight = torch.randn(width, shape[-1], **options) / shape[-1] ** 0.5
    return torch.randn(shape, **options), weight, torch.randn(width, **options)


def gradients(layer, given, cotangent):
    given = [tensor.detach().requires_grad_() for tensor in given]
    output = layer(*given)
    return output, *grad(output, given, cotangent)


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_linear_layer_forwards_and_backwards(size, calls):
    given = tensors(*SIZES[size])
    cotangent = torch.randn_like(F.linear(*given))
    found = gradients(linear, given, cotangent)
    assert calls
    exact = gradients(F.linear, [tensor.double() for tensor in given], cotangent.double())
    for mine, right in zip(found, exact, strict=True):
        assert (mine - right).abs().max() <= 3e-6 * right.abs().max()


def test_a_layout_of_the_input_or_the_gradient_changes_nothing():
    input, weight, bias = tensors(*SIZES["many rows"])
    turned = input.mT.contiguous().mT
    assert for_onednn(turned, weight)
    assert not turned.is_contiguous()
    torch.testing.assert_close(linear(turned, weight, bias), linear(input, weight, bias))
    torch.testing.assert_close(linear(input, weight.T.contiguous().T), linear(input, weight))
    for _, of_input, of_weight, of_bias in [
        gradients(linear, (input, weight, bias), torch.ones(()).expand(8, 4096, 64)),
        gradients(linear, (input, weight, bias), torch.ones(8, 64, 4096).mT),
    ]:
        torch.testing.assert_close(of_input, weight.sum(0).expand_as(input))
        torch.testing.assert_close(of_weight, input.sum((0, 1)).expand_as(weight), rtol=1e-4, atol=1e-2)
        assert of_bias.eq(8 * 4096).all()


def test_it_keeps_what_the_plain_layer_keeps():
    def kept(layer, *given):
        found = []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: found.append(tensor.shape), lambda _: None):
            layer(*given)
        return sorted(found)

    input, weight, bias = tensors(*SIZES["many rows"])
    assert kept(linear, input.clone().requires_grad_(), weight, bias) == [weight.shape]
    assert kept(linear, input, weight.clone().requires_grad_(), bias) == [input.shape]
    assert kept(linear, input, weight, bias.clone().requires_grad_()) == []


def test_the_product_with_a_matrix_is_the_same():
    input, weight, _ = tensors(*SIZES["few rows"])
    matrix, cotangent = weight.T.contiguous(), torch.randn(2, 8, 1536)
    assert for_onednn(input, matrix.mT)
    found, exact = gradients(times, (input, matrix), cotangent), gradients(torch.matmul, (input, matrix), cotangent)
    for mine, right in zip(found, exact, strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-4)
    assert found[2].is_contiguous()
    assert torch.equal(times(input[:, :1], matrix[:, :2]), input[:, :1] @ matrix[:, :2])


def test_it_differentiates_twice():
    input, weight, _ = tensors(*SIZES["many rows"])

    def twice(layer):
        x, w = input.clone().requires_grad_(), weight.clone().requires_grad_()
        of_input, of_weight = grad(layer(x, w).square().sum(), (x, w), create_graph=True)
        return grad(of_input.square().sum() + of_weight.square().sum() * 1e-6, (x, w))

    for mine, right in zip(twice(linear), twice(F.linear), strict=True):
        torch.testing.assert_close(mine, right, rtol=1e-4, atol=1e-5 * right.abs().max().item())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # torch's forward-mode gradients use it themselves
def test_all_else_is_left_to_torch(calls, monkeypatch):
    input, weight, bias = tensors(*SIZES["many rows"])
    linear(input[:1, :64], weight, bias)
    linear(input.double(), weight.double())
    linear(*(tensor.to("meta") for tensor in (input, weight, bias)))
    torch.func.vmap(linear, in_dims=(0, None))(input, weight)
    torch.func.grad(lambda x: linear(x, weight).sum())(input)
    with torch.autocast("cpu"):
        assert linear(input, weight, bias).dtype == torch.bfloat16
    with forward_ad.dual_level():
        output = linear(forward_ad.make_dual(input, input), weight, bias)
        torch.testing.assert_close(forward_ad.unpack_dual(output).tangent, F.linear(input, weight))
    with monkeypatch.context() as patched:
        patched.setattr(torch.backends.mkldnn, "enabled", False)
        linear(input, weight, bias)
    with FlopCounterMode(display=False) as counter:
        gradients(linear, (input, weight, bias), torch.ones(8, 4096, 64))
    assert counter.get_total_flops() == 3 * 2 * input.numel() * 64
    assert not calls


def test_sizes_that_do_not_fit_are_named_by_torch(calls):
    input, weight, _ = tensors(*SIZES["many rows"])
    with pytest.raises(RuntimeError, match="32768x32 and 48x64"):
        linear(input, torch.randn(64, 48))
    with pytest.raises(RuntimeError, match=r"32.* and 48"):
        times(input, torch.randn(48, 64))
    with pytest.raises(RuntimeError, match="60"):
        linear(input, weight, torch.randn(60))
    assert not calls


def test_compiled_it_is_torchs_own(calls):
    input, weight, bias = tensors(*SIZES["many rows"])
    compiled = torch.compile(linear, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(input, weight, bias), F.linear(input, weight, bias))
    assert not calls


def plain(body, stream):
    first, last = (module for module in body if isinstance(module, nn.Linear))
    before = F.linear(stream, first.weight.to(stream.dtype), first.bias.to(stream.dtype))
    return F.linear(F.gelu(before), last.weight.to(stream.dtype), last.bias.to(stream.dtype))


def large():
    """A body and a stream that is worked through in two pieces of different sizes."""
    torch.manual_seed(0)
    stream = torch.randn(5, PIECE // 768, 64)
    body = fast_linears(FeedForward(64, 6)).requires_grad_(False)
    assert [len(piece) for piece in pieces(stream, body[0].weight)] == [3, 2]
    assert for_onednn(stream, body[0].weight)
    return body, stream


def close(found, exact, tolerance=3e-6):
    return (found - exact).abs().max() <= tolerance * exact.abs().max()


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_without_gradients_it_is_the_same(without):
    body, stream = large()
    with without():
        found = body(stream)
    assert not found.requires_grad
    assert close(found, plain(body, stream.double()))


@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "trained"])
def test_in_pieces_its_gradients_are_the_same(trained):
    body, stream = large()
    body.requires_grad_(trained)
    cotangent, exact = torch.randn_like(stream), stream.double().requires_grad_()
    stream.requires_grad_()
    wanted = [stream, *(body.parameters() if trained else ())]
    found = grad(body(stream), wanted, cotangent)
    right = grad(plain(body, exact), [exact, *wanted[1:]], cotangent.double())
    for mine, reference in zip(found, right, strict=True):
        assert close(mine, reference, 2e-5 if trained else 3e-6)


def test_in_pieces_it_keeps_one_hidden_layer_and_overwrites_none():
    body, stream = large()
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = body(stream.requires_grad_())
    weights = [parameter.numel() for parameter in body.parameters() if parameter.ndim == 2]
    assert sum(kept) == stream.numel() * 6 + sum(weights)
    once = grad(output.sum(), stream, retain_graph=True)[0]
    assert torch.equal(grad(output.sum(), stream)[0], once)


def test_in_pieces_it_differentiates_twice():
    body, stream = large()
    cotangent = torch.randn_like(stream)

    def twice(layer, stream, cotangent):
        stream = stream.clone().requires_grad_()
        first = grad((layer(stream) * cotangent).sum(), stream, create_graph=True)[0]
        return grad(first.square().sum(), stream)[0]

    exact = twice(lambda given: plain(body, given), stream.double(), cotangent.double())
    assert close(twice(body, stream, cotangent), exact)
