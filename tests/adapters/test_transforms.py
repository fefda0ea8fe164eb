"""Transforms of `torch.func`, forward mode and half precision pass through every adapter of ours."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacrev, jvp, stack_module_state, vjp, vmap

from crossmodal.adapters import Bottleneck, TokenBatchNorm, guided_adapter, modulation_of, unmodulated
from crossmodal.alignment import learned_alignment
from crossmodal.guidance import ClipGuidance
from crossmodal.site import Site, grid_axes

STREAM, GUIDE = Site("stream", 8, grid_axes(2, 2)), Site("guide", 6, grid_axes(1, 3))
small = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2))
FACTORIES = {
    "default": small,
    "learned": partial(small, align=learned_alignment),
    "LAVisH": partial(small, modulation=unmodulated),
    "clip-wise": partial(
        small, modulation=lambda site: modulation_of(site.width, {"temporal": (partial(ClipGuidance, segments=3), 0.3)})
    ),
}


def built(factory, *, training=False, dtype=torch.float64):
    torch.manual_seed(0)
    adapter = FACTORIES[factory](STREAM, GUIDE)
    for parameter in adapter.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    return adapter.to(dtype).train(training), torch.randn(3, 4, 8).to(dtype), torch.randn(3, 3, 6).to(dtype)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch, about its own rules for forward mode
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("forward", [False, pytest.param(True, marks=pytest.mark.slow)])  # torch compiles its rules
def test_transforms_agree_with_autograd(factory, training, forward):
    adapter, stream, guide = built(factory, training=training)
    # In training batch norm writes its statistics in place, which no transform may do to what it did not make.
    kept = {name: buffer.clone() for name, buffer in adapter.named_buffers()}

    def loss(stream):
        buffers = {name: buffer.clone() for name, buffer in kept.items()}
        return functional_call(adapter, buffers, (stream, guide)).residual.square().mean()

    def of_few(few):
        return loss(stream + nn.functional.pad(few, (0, 5)))

    way, few = torch.randn_like(stream), torch.zeros(3, dtype=stream.dtype)
    given = stream.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(given), given)
    along = (expected * way).sum()
    torch.testing.assert_close(grad(loss)(stream), expected)
    torch.testing.assert_close(vjp(loss, stream)[1](torch.ones((), dtype=stream.dtype))[0], expected)
    torch.testing.assert_close(jacrev(of_few)(few), expected[..., :3].sum((0, 1)))
    if forward:
        torch.testing.assert_close(jvp(loss, (stream,), (way,))[1], along)
        with forward_ad.dual_level():
            dual = loss(forward_ad.make_dual(stream, way))
            torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, along)
        torch.testing.assert_close(hessian(of_few)(few), jacrev(jacrev(of_few))(few))
    if not training:  # torch's own batch norm refuses vmap in training
        twice = torch.stack([stream, stream + 1])
        torch.testing.assert_close(vmap(grad(loss))(twice)[0], expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_an_ensemble_runs_as_its_members(training):
    members = [built("default", training=training)[0] for _ in range(3)]
    stream, guide = built("default")[1:]
    expected = torch.stack([member(stream, guide).residual for member in members])
    members = [built("default", training=training)[0] for _ in range(3)]
    states = stack_module_state(members)
    found = vmap(lambda *state: functional_call(members[0], state, (stream, guide)).residual)(*states)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factory", FACTORIES)
def test_in_half_precision_it_trains_and_stays_in_it(factory, dtype, training):
    adapter, stream, guide = built(factory, training=training, dtype=dtype)
    exact, *given = built(factory, training=training)
    exact.load_state_dict({name: tensor.double() for name, tensor in adapter.state_dict().items()})
    residual = adapter(stream, guide).residual
    assert residual.dtype == dtype
    residual.square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in adapter.parameters() if parameter.grad is not None)
    expected = exact(*(tensor.to(dtype).double() for tensor in given)).residual
    tolerance = 0.3 if dtype == torch.bfloat16 else 0.05
    assert (residual.double() - expected).norm() < tolerance * expected.norm()


def test_batch_norm_of_a_cumulative_mean_in_half_precision():
    bottleneck = Bottleneck(8, reduction=2, norm=lambda width: TokenBatchNorm(width, momentum=None)).bfloat16()
    bottleneck(torch.randn(2, 3, 8).bfloat16())
    assert bottleneck.up_norm.running_mean.dtype == torch.bfloat16
