"""Released segmentation models: every tensor has its place in our model, or a reason to be left out."""

import json

import golden_avs
import pytest
import torch

from crossmodal.checkpoints.rules import Dropped
from crossmodal.checkpoints.segmentation import dg_sct_avs_rule, import_dg_sct_avs
from crossmodal.recipes.avs import dg_sct_ms3, dg_sct_s4


@pytest.mark.slow  # both published encoders and 48 adapters, twice; no weights are drawn
@pytest.mark.parametrize("setting", ["s4", "ms3"])
def test_names_and_shapes_of_the_released_checkpoints(setting):
    with torch.device("meta"):
        system = {"s4": dg_sct_s4, "ms3": dg_sct_ms3}[setting].RELEASED()
    shapes = json.loads((golden_avs.FOLDER / "released_avs_names.json").read_text())[setting]
    rule, filled = dg_sct_avs_rule(list(shapes), system.coupled), {}
    for name, shape in shapes.items():
        mapped = rule(name, torch.empty(shape, device="meta"))
        assert mapped is not None, name
        if not isinstance(mapped, Dropped):
            filled |= {ours: tensor.shape for ours, tensor in mapped.items()}
    assert filled == {name: tensor.shape for name, tensor in system.state_dict().items()}


def test_a_model_without_coupled_encoders_is_refused():
    model = torch.nn.Module()
    model.coupled = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"import_dg_sct_avs: model.coupled is a Linear, expected a Lockstep\."):
        import_dg_sct_avs(model, {"x1_linear_.weight": torch.zeros(1, 1)})
