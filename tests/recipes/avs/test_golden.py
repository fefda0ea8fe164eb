"""Adapters of segmentation equal the released ones, with and without gate, the guide mixed or resized."""

from functools import partial

import golden_avs
import pytest
import torch
from golden_numbers import digest, scalar
from torch import nn

from crossmodal.adapters import GuidedAdapter, guided_adapter, modulation_of, unmodulated
from crossmodal.alignment import identity_alignment, learned_alignment, resampled_alignment
from crossmodal.checkpoints.load_strict import load_strict
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.segmentation import segmentation_adapter_rule
from crossmodal.guidance import ChannelGuidance, SpatialGuidance
from crossmodal.heads.pooling import pooling_weights
from crossmodal.recipes.avs.lavish_shared import segmentation_bottleneck, zero_latents
from crossmodal.recipes.dg_sct_avs import segmentation_adapter
from crossmodal.site import Site, grid_axes


def picture(side, width):
    """Tokens of an image: a gated bottleneck."""
    return Site("s", width, grid_axes(side, side))


def sound(side, width):
    """Tokens of a spectrogram: one without a gate."""
    axes = grid_axes(side, side)
    return Site("s", width, {"frequency": axes["row"], "time": axes["column"]})


def released(setting, gated, up):
    """Our adapter of the sizes of the golden cases."""
    sides = (6, 4) if up else (4, 6)
    stream = (picture if gated else sound)(sides[0], 24)
    alpha, beta = {"s4": (0.3, 0.05), "ms3": (0.2, 0.1)}[setting]
    return segmentation_adapter(
        stream,
        picture(sides[1], 32),
        align={"s4": resampled_alignment, "ms3": learned_alignment}[setting],
        modulation=lambda site: modulation_of(
            site.width, {"channel": (ChannelGuidance, alpha), "spatial": (SpatialGuidance, beta)}, base=1 - alpha
        ),
        latents=8,
        reduction=4,
    )


def filled(adapter, case, file="avs"):
    """The adapter with the weights of a case."""
    holder = nn.Module()
    holder.adapter = adapter
    rule = segmentation_adapter_rule(holder, "adapter.")
    weights = read_weights(golden_avs.state(case, file))
    return load_strict(adapter, weights, rule, layout="released", importer="test")


CASES = [(setting, gated, up) for setting in ("s4", "ms3") for gated in (True, False) for up in (True, False)]


@pytest.mark.parametrize(("setting", "gated", "up"), CASES)
def test_released_adapters(setting, gated, up):
    case = f"{setting}_adapter{'' if gated else '_nogate'}{'_up' if up else ''}"
    adapter = released(setting, gated, up).double()
    report = filled(adapter, case)
    given = {name: tensor.double().requires_grad_() for name, tensor in golden_avs.numbers(case, "in").items()}
    residual, maps = adapter(given["stream"], given["guide"])
    expected = golden_avs.numbers(case, "out_eval")
    torch.testing.assert_close(residual, expected["output"].double(), rtol=2e-5, atol=2e-5)
    weights = pooling_weights(maps["spatial"]).mT
    torch.testing.assert_close(weights, expected["spatial_map"].double(), rtol=2e-5, atol=2e-5)
    theirs = golden_avs.numbers(case, "grad_param")
    gradients = torch.autograd.grad(scalar(residual, weights), [*given.values(), *adapter.parameters()])
    stored = golden_avs.numbers(case, "grad_in")
    for name, gradient in zip(given, gradients, strict=False):
        torch.testing.assert_close(gradient, stored[name].double(), rtol=1e-5, atol=1e-6)
    for (name, _), gradient in zip(adapter.named_parameters(), gradients[2:], strict=True):
        expected = digest(theirs[report.mapped[name]])
        assert (digest(gradient) - expected)[1:].abs().max() <= 1e-5 * max(expected[1], 1e-3), name


@pytest.mark.parametrize("gated", [True, False])
def test_adapters_of_lavish(gated):
    """With a guide of another number of tokens: nothing is aligned."""
    case = f"lavish_adapter_avs{'' if gated else '_nogate'}"
    bottleneck = segmentation_bottleneck(24)
    if not gated:
        bottleneck.finish = nn.LayerNorm(24)
    adapter = guided_adapter(
        picture(4, 24),
        picture(4, 24),
        align=identity_alignment,
        latents=partial(zero_latents, latents=5),
        modulation=unmodulated,
        bottleneck=lambda width: bottleneck,
        order=GuidedAdapter,
    ).double()
    filled(adapter, case, "lavish")
    given = {
        name: golden_avs.given(case, name, shape).double()
        for name, shape in (("stream", (4, 16, 24)), ("guide", (4, 9, 24)))
    }
    residual, _ = adapter(given["stream"], given["guide"])
    expected = digest(golden_avs.numbers(case, "out_eval", "lavish")["output"])
    assert (digest(residual) - expected)[1:].abs().max() <= 2e-5 * expected[1]
