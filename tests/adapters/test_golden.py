"""The released adapters, number for number: outputs, maps, gradients and BatchNorm statistics."""

from functools import partial

import pytest
import torch
from golden_numbers import golden, scalar
from torch import Tensor, nn

from crossmodal.adapters import Bottleneck, Gate, GuidedAdapter, Modulation, guided_adapter
from crossmodal.alignment import learned_alignment
from crossmodal.checkpoints import from_released_adapter
from crossmodal.guidance import ChannelGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.heads import pooling_weights
from crossmodal.site import Site, grid_axes

STREAM, GUIDE = Site("stream", 24, grid_axes(4, 4)), Site("guide", 32, grid_axes(3, 3))
plain = partial(Bottleneck, reduction=4, before=nn.Identity, norm=nn.Identity, finish=Gate)
normed = partial(Bottleneck, reduction=4)


def released(alpha: float, beta: float, gamma: float | None = None):
    """The released modulation: base 1 - α; few-shot's segment gate joins the sum."""

    def modulation(stream: Site) -> Modulation:
        width = stream.width
        maps = {"channel": (ChannelGuidance(width, width), alpha), "spatial": (SpatialGuidance(width, width), beta)}
        if gamma is not None:
            maps["temporal"] = (SegmentGuidance(width, width), gamma)
        return Modulation(maps, base=1 - alpha)

    return modulation


CASES = {
    "ave_adapter": (released(0.3, 0.05), normed),
    "ave_adapter_nobn_noln": (released(0.3, 0.05), plain),
    "fewshot_adapter": (released(0.2, 0.05, 0.05), normed),
}


def adapter(case: str) -> GuidedAdapter:
    modulation, bottleneck = CASES[case]
    block = guided_adapter(
        STREAM, GUIDE, align=learned_alignment, latents=8, modulation=modulation, bottleneck=bottleneck
    )
    block.load_state_dict(from_released_adapter(golden(case, "state")))
    return block


def outputs(block: GuidedAdapter, stream: Tensor, guide: Tensor) -> dict[str, Tensor]:
    residual, maps = block(stream, guide)
    out = {"output": residual, "spatial_att_maps": pooling_weights(maps["spatial"]).mT}
    if "temporal" in maps:
        out["temporal_att_maps"] = maps["temporal"].reshape(2, 10, 1, 1)
    return out


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_outputs_and_maps(case, mode):
    block = adapter(case).train(mode == "train")
    given = golden(case, "in")
    ours, theirs = outputs(block, given["x"], given["guide"]), golden(case, f"out_{mode}")
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        torch.testing.assert_close(
            ours[name], expected, rtol=0, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    block = adapter(case).train()
    given = {name: tensor.requires_grad_() for name, tensor in golden(case, "in").items()}
    scalar(*outputs(block, given["x"], given["guide"]).values()).backward()
    for name, expected in golden(case, "grad_in").items():
        torch.testing.assert_close(given[name].grad, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    theirs, ours = from_released_adapter(golden(case, "grad_param")), dict(block.named_parameters())
    assert theirs.keys() == ours.keys()
    for name, expected in theirs.items():
        if name == "bottleneck.before.bias" and case != "ave_adapter_nobn_noln":
            assert max(ours[name].grad.abs().max(), expected.abs().max()) < 1e-4  # zero: a shift before BatchNorm
            continue
        close = {"rtol": 1e-4, "atol": 1e-4 * expected.abs().max().item()}
        torch.testing.assert_close(ours[name].grad, expected, **close, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("case", ["ave_adapter", "fewshot_adapter"])
def test_batch_norm_statistics(case):
    block = adapter(case).train()
    given = golden(case, "in")
    block(given["x"], given["guide"])
    state = block.state_dict()
    for name, expected in from_released_adapter(golden(case, "state_after")).items():
        torch.testing.assert_close(state[name], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_gradients_against_float64_differences(case):
    block = adapter(case).double().train()
    given = [golden(case, "in")[name].double().requires_grad_() for name in ("x", "guide")]
    frames = 4 if case != "fewshot_adapter" else 20
    assert given[0].shape[0] == frames
    direction = [torch.sin(torch.arange(t.numel(), dtype=t.dtype)).reshape(t.shape) for t in given]

    def value(step: float) -> Tensor:
        moved = [tensor.detach() + step * d for tensor, d in zip(given, direction, strict=True)]
        return scalar(block(*moved).residual)

    scalar(block(*given).residual).backward()
    exact = sum((tensor.grad * d).sum() for tensor, d in zip(given, direction, strict=True))
    torch.testing.assert_close((value(1e-6) - value(-1e-6)) / 2e-6, exact, rtol=1e-5, atol=1e-6)
