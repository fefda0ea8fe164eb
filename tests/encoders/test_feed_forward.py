import pytest
import torch
from crossmodal.linear import for_onednn
from torch import nn
from torch.autograd import grad
from torch.nn import functional as F

from crossmodal.encoders.feed_forward import PIECE, FeedForward, pieces

STREAM = torch.arange(24.0).view(2, 3, 4).sin()


def plain(body, stream):
    first, last = (module for module in body if isinstance(module, nn.Linear))
    before = F.linear(stream, first.weight.to(stream.dtype), first.bias.to(stream.dtype))
    return F.linear(F.gelu(before), last.weight.to(stream.dtype), last.bias.to(stream.dtype))


def large():
    """A body and a stream that is worked through in two pieces of different sizes."""
    torch.manual_seed(0)
    stream = torch.randn(5, PIECE // 768, 64)
    body = FeedForward(64, 6).requires_grad_(False)
    assert [len(piece) for piece in pieces(stream, body[0].weight)] == [3, 2]
    assert for_onednn(stream, body[0].weight)
    return body, stream


def close(found, exact, tolerance=3e-6):
    return (found - exact).abs().max() <= tolerance * exact.abs().max()


def test_it_is_two_layers_with_gelu_between():
    body = FeedForward(4, 2.5)
    assert body[0].out_features == 10
    expected, given = plain(body, STREAM), STREAM.clone()
    torch.testing.assert_close(body(STREAM), expected)
    with torch.no_grad():
        assert torch.equal(body(given), expected)
    assert torch.equal(given, STREAM)


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


@pytest.mark.parametrize("grad", [False, True])
def test_a_layer_that_is_replaced_or_listened_to_is_called(grad):
    body, stream = FeedForward(4, 2.0).requires_grad_(False), STREAM.clone().requires_grad_(grad)
    heard = []
    body[3].register_forward_hook(lambda layer, given, output: heard.append(output.shape))
    body(stream)
    assert heard == [STREAM.shape]
    body[3] = nn.Identity()
    assert body(stream).shape == (2, 3, 8)


@pytest.mark.parametrize(("place", "layer"), [(1, nn.GELU("tanh")), (1, nn.ReLU()), (2, nn.Dropout(1.0))])
@pytest.mark.parametrize("grad", [False, True])
def test_another_activation_or_dropout_is_obeyed(place, layer, grad):
    body, stream = large()
    body[place] = layer
    expected = stream
    for part in body:
        expected = part(expected)
    assert torch.equal(body(stream.requires_grad_(grad)), expected)
    assert not torch.equal(expected, plain(body, stream))


def test_a_backward_hook_is_called():
    body, stream = large()
    heard = []
    body[0].register_full_backward_hook(lambda *given: heard.append(1))
    body(stream.requires_grad_()).sum().backward()
    assert heard
