"""The released DG-SCT on MUSIC-AVQA: every tensor of its checkpoint has its place in our model, or a reason."""

import json
from pathlib import Path

import pytest
import torch

from crossmodal.checkpoints.answers import dg_sct_avqa_rule, import_dg_sct_avqa, import_st_avqa
from crossmodal.checkpoints.rules import Dropped
from crossmodal.recipes.avqa.dg_sct_released import RELEASED
from crossmodal.recipes.avqa.st_avqa import st_avqa

NAMES = Path(__file__).parents[1] / "golden" / "released_avqa_names.json"
ADAPTERS, DEAD = 186_336_456, 3_545_088
"""Counted by the released code: numbers of its adapters, and those that nothing reaches outside them."""


@pytest.mark.slow  # both published encoders and 48 adapters; no weights are drawn
def test_names_and_shapes_of_the_released_checkpoint():
    with torch.device("meta"):
        system = RELEASED()
    shapes = json.loads(NAMES.read_text())
    rule = dg_sct_avqa_rule(list(shapes), system.coupled)
    filled, dropped = {}, 0
    for name, shape in shapes.items():
        mapped = rule(name, torch.empty(shape, device="meta"))
        assert mapped is not None, name
        if isinstance(mapped, Dropped):
            dropped += torch.Size(shape).numel() * ("pure" in name or name.startswith("norm3"))
        else:
            filled |= {ours: tensor.shape for ours, tensor in mapped.items()}
    ours = {name: tensor.shape for name, tensor in system.state_dict().items()}
    assert not {*filled.items()} ^ {*ours.items()}
    assert dropped == DEAD
    assert sum(parameter.numel() for parameter in system.coupled.couplers.parameters()) == ADAPTERS


def test_a_file_of_another_layout_is_refused():
    model = torch.nn.Module()
    model.coupled = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"import_dg_sct_avqa: model.coupled is a Linear, expected a Lockstep\."):
        import_dg_sct_avqa(model, {"fc_a1.weight": torch.zeros(1, 1)})
    system = st_avqa("music_avqa", "music_avqa", width=16)
    with pytest.raises(ValueError, match="import_st_avqa"):
        import_st_avqa(system, {"fc_ans.weight": torch.zeros(42, 512), "visual_net.conv1.weight": torch.zeros(1)})
