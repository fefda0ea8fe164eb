import torch
from hypothesis import given
from hypothesis import strategies as st

import crossmodal.guidance.mean_of_relu as module
from crossmodal.guidance.mean_of_relu import mean_of_relu


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_it_is_the_mean_of_the_relu_twice_differentiable_and_in_pieces(frames, tokens, channels, seed):
    torch.manual_seed(seed)
    projected = torch.randn(frames, tokens, channels).double().requires_grad_()
    cotangent = torch.randn(frames, 1, channels).double().requires_grad_()
    found = []
    for form in (mean_of_relu, lambda given: given.relu().mean(1, keepdim=True)):
        out = form(projected)
        (first,) = torch.autograd.grad(out, projected, cotangent, create_graph=True)
        found.append([out, first, *torch.autograd.grad(first.square().sum(), cotangent)])
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)
    before, module.PIECE = module.PIECE, 4
    try:
        torch.testing.assert_close(mean_of_relu(projected), found[0][0], rtol=0, atol=1e-12)
    finally:
        module.PIECE = before


def test_what_is_not_a_number_stays_so():
    assert mean_of_relu(torch.tensor([[[float("nan")], [1.0]]])).isnan().all()


def test_the_backward_makes_no_gradient_of_the_signs(monkeypatch):
    """It would be zeros, written and read for nothing."""
    given, backward = [], module._MeanOfRelu.backward
    monkeypatch.setattr(
        module._MeanOfRelu,
        "backward",
        staticmethod(lambda ctx, *gradients: given.extend(gradients) or backward(ctx, *gradients)),
    )
    mean_of_relu(torch.randn(2, 3, 4, requires_grad=True)).sum().backward()
    assert [gradient is None for gradient in given] == [False, True]
