"""PVT-v2 equals AVSBench's and timm's, and takes weights by the names of both."""

import json

import golden_avs
import pytest
import torch
from golden_numbers import digest

from crossmodal.checkpoints.pvt_v2 import import_pvt_v2, pvt_v2_rule, timm_name
from crossmodal.encoders import pvt_v2, pvt_v2_b5
from crossmodal.heads.mask_pyramid import as_map, pyramid_sites

SMALL = {
    "widths": (8, 16, 40, 32),
    "depths": (2, 1, 2, 1),
    "heads": (1, 2, 5, 4),
    "ratios": (2.0, 2.0, 3.0, 2.0),
    "reductions": (8, 4, 2, 1),
}


def pyramid(encoder, picture):
    """The normed maps at the end of every stage."""
    stream, found = encoder.stem(picture), {}
    for name in encoder.names:
        found[name] = stream = encoder.section(name)(stream)
    sites = pyramid_sites(encoder.sites)
    last = {sites[-1].name: encoder.head}
    return [as_map(last.get(site.name, torch.nn.Identity())(found[site.name]), site.grid) for site in sites]


def test_golden_maps():
    case = "pvt_v2_small"
    encoder = pvt_v2((64, 96), drop_path=0.0, **SMALL).double().eval()
    state = golden_avs.facts(case, "avsbench")["state"]
    report = import_pvt_v2(encoder, {name: golden_avs.weight(case, name, shape) for name, shape in state.items()})
    assert not report.dropped
    picture = golden_avs.given(case, "image", (2, 3, 64, 96)).double().requires_grad_()
    expected = golden_avs.numbers(case, "out_eval_digest", "avsbench")
    maps = pyramid(encoder, picture)
    for at, map in enumerate(maps, 1):
        theirs = expected.get(f"map{at}")
        if theirs is None:
            theirs = digest(golden_avs.numbers(case, "out_eval", "avsbench")[f"map{at}"])
        assert (digest(map) - theirs)[1:].abs().max() <= 2e-5 * theirs[1], at


def test_names_of_timm():
    assert timm_name("block3.7.mlp.dwconv.dwconv.bias") == "stages.2.blocks.7.mlp.dwconv.bias"
    assert timm_name("patch_embed1.proj.weight") == timm_name("patch_embed.proj.weight") == "patch_embed.proj.weight"
    assert timm_name("patch_embed2.norm.bias") == "stages.1.downsample.norm.bias"
    assert timm_name("norm4.weight") == "stages.3.norm.weight"


def test_equals_a_small_one_of_timm():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    options = {"depths": SMALL["depths"], "embed_dims": SMALL["widths"], "num_heads": SMALL["heads"]}
    options |= {"mlp_ratios": SMALL["ratios"], "sr_ratios": SMALL["reductions"]}
    theirs = timm.models.pvt_v2.PyramidVisionTransformerV2(num_classes=3, **options).double().eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = pvt_v2(64, drop_path=0.0, **SMALL).double().eval()
    report = import_pvt_v2(ours, theirs.state_dict())
    assert set(report.dropped) == {"head.weight", "head.bias"}
    picture = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    expected = theirs.forward_intermediates(picture, intermediates_only=True)
    torch.testing.assert_close(pyramid(ours, picture), expected, rtol=1e-9, atol=1e-9)


def test_the_large_one_has_the_published_names_and_size():
    with torch.device("meta"):
        encoder = pvt_v2_b5()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 81_443_008
    shapes = json.loads((golden_avs.FOLDER / "released_avs_names.json").read_text())["pvt_v2_b5"]
    assert len(shapes) == 1052
    filled = {}
    for name, shape in shapes.items():
        mapped = pvt_v2_rule(name, torch.empty(shape, device="meta"))
        filled |= {ours: tensor.shape for ours, tensor in mapped.items()}
    assert filled == {name: tensor.shape for name, tensor in encoder.state_dict().items()}


def test_sizes_that_cannot_be_halved_are_named():
    with pytest.raises(ValueError, match="pvt_v2: size=200 must be a multiple of 32 pixels, for its 4 stages"):
        pvt_v2(200)
    with pytest.raises(ValueError, match="must name the same stages"):
        pvt_v2(64, widths=(8, 16))
