"""Released segmentation models: every tensor has its place in our model, or a reason to be left out."""

import json
from functools import partial

import golden_avs
import pytest
import torch

from crossmodal.checkpoints.rules import Dropped
from crossmodal.checkpoints.segmentation import dg_sct_avs_rule, import_dg_sct_avs, import_tpavi
from crossmodal.data.world import TINY
from crossmodal.encoders import pvt_v2
from crossmodal.encoders.by_name.tiny import tiny_audio
from crossmodal.heads import MeanPooling
from crossmodal.heads.level_gates import Ungated
from crossmodal.heads.mask_decoder import MaskDecoder
from crossmodal.heads.mask_pyramid import DilatedLevel
from crossmodal.heads.masks import MaskHead
from crossmodal.injection import fingerprint
from crossmodal.recipes.avs import dg_sct_ms3, dg_sct_s4
from crossmodal.recipes.avs.tpavi import as_it_is, side_by_side
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.mask_system import MaskSystem


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


def small_tpavi():
    """AVSBench's model on a small PVT-v2, and a file of its layout."""
    small = golden_avs.facts("pvt_v2_small", "avsbench")["options"]
    encoder = pvt_v2(
        32,
        widths=small["embed_dims"],
        depths=small["depths"],
        heads=small["num_heads"],
        ratios=small["mlp_ratios"],
        reductions=small["sr_ratios"],
    )
    pair = Pair(side_by_side(encoder, tiny_audio()), (32, 96), torch.nn.Identity(), TINY)
    head = partial(
        MaskHead, size=32, channels=32, audio_channels=128, level=DilatedLevel, gates=Ungated, project_audio=as_it_is
    )
    system = MaskSystem(
        pair, classes=(), pool=MeanPooling, head=partial(head, decoder=partial(MaskDecoder, widths=(128, 32)))
    )
    shapes = dict(golden_avs.facts("avsbench_head", "avsbench")["state"])
    for name, shape in shapes.items():
        if name.startswith("conv") and len(shape) == 4:  # the golden head reads maps of other widths
            shapes[name] = [shape[0], small["embed_dims"][int(name[4]) - 1], *shape[2:]]
    shapes |= {f"tpavi_b{level}.W_z.1.num_batches_tracked": [] for level in (1, 2, 3, 4)}
    shapes |= {f"encoder_backbone.{n}": s for n, s in golden_avs.facts("pvt_v2_small", "avsbench")["state"].items()}
    return system, {
        name: golden_avs.weight("any", name, shape) if shape else torch.tensor(3) for name, shape in shapes.items()
    }


def test_the_model_of_avsbench_is_filled():
    system, weights = small_tpavi()
    before = fingerprint(system.coupled.encoder("audio"))
    report = import_tpavi(system, weights)
    assert set(report.dropped) == {name for name in weights if name.startswith("path4.resConfUnit1.")}
    assert torch.equal(system.head.decoder.top.first.weight, weights["path4.resConfUnit2.conv1.weight"])
    assert torch.equal(system.coupled.encoder("visual").head.weight, weights["encoder_backbone.norm4.weight"])
    assert fingerprint(system.coupled.encoder("audio")) == before
    del weights["tpavi_b3.theta.bias"]
    with pytest.raises(ValueError, match=r"interactions\.2\.query\.bias"):
        import_tpavi(system, weights)
