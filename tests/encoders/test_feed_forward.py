import pytest
import torch
from torch import nn
from torch.nn import functional as F

from crossmodal.encoders.feed_forward import FeedForward
from crossmodal.injection import fast_linears

STREAM = torch.arange(24.0).view(2, 3, 4).sin()


def plain(body, stream):
    first, last = (module for module in body if isinstance(module, nn.Linear))
    before = F.linear(stream, first.weight.to(stream.dtype), first.bias.to(stream.dtype))
    return F.linear(F.gelu(before), last.weight.to(stream.dtype), last.bias.to(stream.dtype))


def test_it_is_two_layers_with_gelu_between():
    body = FeedForward(4, 2.5)
    assert body[0].out_features == 10
    expected, given = plain(body, STREAM), STREAM.clone()
    torch.testing.assert_close(body(STREAM), expected)
    with torch.no_grad():
        assert torch.equal(body(given), expected)
    assert torch.equal(given, STREAM)


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
@pytest.mark.parametrize("fast", [fast_linears, lambda body: body])
def test_another_activation_or_dropout_is_obeyed(place, layer, grad, fast):
    body, stream = fast(FeedForward(4, 2.0).requires_grad_(False)), STREAM.clone()
    body[place] = layer
    expected = stream
    for part in body:
        expected = part(expected)
    assert torch.equal(body(stream.requires_grad_(grad)), expected)
    assert not torch.equal(expected, plain(body, stream))


def test_a_backward_hook_is_called():
    body, stream = FeedForward(4, 2.0).requires_grad_(False), STREAM.clone()
    heard = []
    body[0].register_full_backward_hook(lambda *given: heard.append(1))
    body(stream.requires_grad_()).sum().backward()
    assert heard


def test_a_layer_more_is_run():
    body = FeedForward(4, 2.0)
    expected = plain(body, STREAM)
    body.append(nn.Flatten())
    torch.testing.assert_close(body(STREAM), expected.flatten(1))
