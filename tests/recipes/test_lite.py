"""The lite recipe: small parts in the released form, within its budget, every part a keyword."""

import inspect

import pytest
import torch
from systems import full_size, tiny
from toys import toy_encoder

from crossmodal.alignment import PooledAlignment
from crossmodal.evaluation.step_cost import step_cost
from crossmodal.guidance import LowRankChannelGuidance
from crossmodal.heads import event_loss
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lite import lite
from crossmodal.tasks import ave


def test_it_is_the_released_form_with_other_defaults():
    ours, theirs = inspect.signature(lite).parameters, inspect.signature(dg_sct_released).parameters
    assert list(ours) == list(theirs)
    changed = {name for name in ours if ours[name].default != theirs[name].default}
    assert changed == {"channel", "spatial", "align", "latents", "order"}


def test_its_parts_are_small_and_know_no_grid():
    model = lite(toy_encoder((1,), width=32), toy_encoder((1,), width=16, tokens=4))
    adapter = model.couplers.stages0_0_mlp.audio_visual
    assert isinstance(adapter.align, PooledAlignment)
    assert isinstance(adapter.modulation.channel, LowRankChannelGuidance)
    assert adapter.modulation.spatial.stream_proj.out_features == 2
    assert adapter.modulation.base == 0.7


def test_with_open_gates_every_part_of_it_learns():
    torch.manual_seed(0)
    model = tiny(coupling=lite).train()
    for name, parameter in model.coupled.couplers.named_parameters():
        if name.endswith(("latents.gate", "gate.scale")):
            torch.nn.init.ones_(parameter)
    events = model.score(torch.rand(1, 10, 3, 64, 64), torch.randn(1, 10, 16_000))
    event_loss(events, torch.randint(0, 7, (1, 10))).backward()
    silent = {name for name, tensor in model.coupled.couplers.named_parameters() if not tensor.grad.any()}
    assert silent == set()


@pytest.mark.slow
def test_at_full_size_it_keeps_its_budget():
    with torch.device("meta"):
        model = full_size(coupling=lite)
    found = step_cost(model, ave.TASK)
    couplers = found["coupled.couplers"]
    assert couplers.parameters == couplers.trained == 11_765_208
    assert found.over_floor <= 1.05
