"""The released DG-SCT on LLP: every tensor of its checkpoint has its place in our model, or a reason to be left out."""

import json
from pathlib import Path

import pytest
import torch

from crossmodal.checkpoints.parsing import dg_sct_avvp_rule, import_dg_sct_avvp
from crossmodal.checkpoints.rules import Dropped
from crossmodal.recipes.avvp.dg_sct_released import RELEASED

NAMES = Path(__file__).parents[1] / "golden" / "released_avvp_names.json"


@pytest.mark.slow  # both published encoders and 48 adapters; no weights are drawn
def test_names_and_shapes_of_the_released_checkpoint():
    with torch.device("meta"):
        system = RELEASED()
    shapes = json.loads(NAMES.read_text())
    rule = dg_sct_avvp_rule(list(shapes), system.coupled)
    filled = {}
    for name, shape in shapes.items():
        mapped = rule(name, torch.empty(shape, device="meta"))
        assert mapped is not None, name
        if not isinstance(mapped, Dropped):
            filled |= {ours: tensor.shape for ours, tensor in mapped.items()}
    assert filled == {name: tensor.shape for name, tensor in system.state_dict().items()}


def test_a_model_without_coupled_encoders_is_refused():
    model = torch.nn.Module()
    model.coupled = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"import_dg_sct_avvp: model.coupled is a Linear, expected a Lockstep\."):
        import_dg_sct_avvp(model, {"fc_a.weight": torch.zeros(1, 1)})
