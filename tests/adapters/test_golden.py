"""The released adapters, number for number: outputs, maps, gradients and BatchNorm statistics."""

from functools import partial

import pytest
import torch
from golden_numbers import differences, golden, scalar, unlike
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
        STREAM,
        GUIDE,
        align=learned_alignment,
        latents=8,
        modulation=modulation,
        bottleneck=bottleneck,
        order=GuidedAdapter,
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


def gradients(case: str, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of the inputs, and of the parameters, after one step in training mode."""
    block = adapter(case).to(dtype).train()
    given = {name: tensor.to(dtype).requires_grad_() for name, tensor in golden(case, "in").items()}
    scalar(*outputs(block, given["x"], given["guide"]).values()).backward()
    found = (given.items(), block.named_parameters())
    return tuple({name: tensor.grad for name, tensor in tensors} for tensors in found)


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    """To a relative 1e-4, save the one that is zero but for rounding: of a shift before BatchNorm in training."""
    of_inputs, of_parameters = gradients(case, torch.float32)
    assert not unlike(of_inputs, golden(case, "grad_in"), relative=1e-4)
    theirs = from_released_adapter(golden(case, "grad_param"))
    zero = {name for name, exact in gradients(case, torch.float64)[1].items() if exact.abs().max() < 1e-12}
    assert zero == ({"bottleneck.before.bias"} if case != "ave_adapter_nobn_noln" else set())
    assert set(unlike(of_parameters, theirs, relative=1e-4)) <= zero
    for name in zero:
        assert max(of_parameters[name].abs().max(), theirs[name].abs().max()) < 1e-4


@pytest.mark.parametrize("case", ["ave_adapter", "fewshot_adapter"])
def test_batch_norm_statistics(case):
    block = adapter(case).train()
    given = golden(case, "in")
    block(given["x"], given["guide"])
    after, expected = block.state_dict(), from_released_adapter(golden(case, "state_after"))
    assert expected.keys() == {name for name, _ in block.named_buffers()}
    for name, statistic in expected.items():
        torch.testing.assert_close(after[name], statistic, rtol=1e-5, atol=1e-5)
    block.eval()(given["x"], given["guide"])
    assert all(torch.equal(block.state_dict()[name], after[name]) for name in after)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_gradients_against_float64_differences(case, mode):
    """Of residual and maps, by both inputs and every parameter."""
    block = adapter(case).double().train(mode == "train")
    given = {name: tensor.double().requires_grad_() for name, tensor in golden(case, "in").items()}

    def value() -> Tensor:
        return scalar(*outputs(block, given["x"], given["guide"]).values())

    for name, (exact, measured) in differences(value, given | dict(block.named_parameters())).items():
        assert measured == pytest.approx(exact, rel=1e-5, abs=1e-6), name
