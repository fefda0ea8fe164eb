from functools import partial

import pytest
import torch
from third_party import PICTURE, convnext, swin, timm_convnext, timm_swin, timm_vit, vit
from torch import nn
from torchvision.models import resnet

from crossmodal.injection import fingerprint, freeze, sites

BNC, BCN = "frame token channel", "frame channel token"
BHWC, BCHW = "frame row column channel", "frame channel row column"


def seen(port):
    return port.layout, port.width, port.tokens, port.frames


# Row by row from the published code of each model: its patch size, merging and where it permutes.
@pytest.mark.parametrize(
    ("build", "picture", "name", "expected"),
    [
        (vit, PICTURE[..., :32], "conv_proj", (BCHW, 16, 16, 2)),
        (vit, PICTURE[..., :32], "encoder.layers.encoder_layer_1", (BNC, 16, 17, 2)),
        (vit, PICTURE[..., :32], "encoder.layers.encoder_layer_1.self_attention", (BNC, 16, 17, 2)),
        (swin, PICTURE, "features.0", (BHWC, 8, 128, 2)),
        (swin, PICTURE, "features.1.0", (BHWC, 8, 128, 2)),
        (swin, PICTURE, "features.1.1.mlp", (BHWC, 8, 128, 2)),
        (swin, PICTURE, "features.2", (BHWC, 16, 32, 2)),
        (swin, PICTURE, "features.3.1", (BHWC, 16, 32, 2)),
        (convnext, PICTURE, "features.1.0", (BCHW, 8, 128, 2)),
        (convnext, PICTURE, "features.1.0.block.3", (BHWC, 32, 128, 2)),
        (convnext, PICTURE, "features.2", (BCHW, 16, 32, 2)),
        (timm_swin, PICTURE, "layers.0.blocks.1", (BHWC, 8, 128, 2)),
        (timm_swin, PICTURE, "layers.0.blocks.1.mlp", (BNC, 8, 128, 2)),
        (timm_swin, PICTURE, "layers.0.blocks.1.attn", (BNC, 8, 16, 16)),  # windows ride in the frames
        (timm_convnext, PICTURE, "stages.1.blocks.0", (BCHW, 8, 32, 2)),
        (timm_vit, PICTURE, "blocks.1", (BNC, 16, 33, 2)),
        (partial(resnet.ResNet, resnet.BasicBlock, [1, 1, 1, 1]), PICTURE, "layer2.0", (BCHW, 128, 32, 2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_width_tokens_and_layout_of_real_models(build, picture, name, expected):
    assert seen(sites(build(), picture)[name].writes) == expected


def test_input_and_output_of_a_module_are_told_apart():
    merging = sites(swin(), PICTURE)["features.2"]
    assert seen(merging.reads) == (BHWC, 8, 128, 2)
    assert seen(merging.writes) == (BHWC, 16, 32, 2)
    assert merging.shapes == (((2, 8, 16, 8), (2, 4, 8, 16)),)


def test_a_grid_has_rows_and_columns_and_a_sequence_has_tokens():
    points = sites(timm_swin(), PICTURE)
    assert points["layers.0.blocks.0"].writes.extent == {"row": 8, "column": 16}
    assert points["layers.0.blocks.0"].writes.axes["column"][:18] == (*range(16), 0, 1)
    assert points["layers.0.blocks.0.mlp"].writes.axes == {"token": tuple(range(128))}


def test_the_port_prints_in_one_line():
    port = sites(swin(), PICTURE)["features.1.0"].writes
    assert repr(port) == (
        "TensorLayout('features.1.0', width=8, tokens=8×16, frames=2, layout='frame row column channel')"
    )


class Pass(nn.Module):
    """Has no weights to tell a layout by."""

    def forward(self, x):
        return x


class Holding(nn.Module):
    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


@pytest.mark.parametrize(
    ("shape", "neighbours", "expected"),
    [
        ((2, 5, 7, 7), {}, BCHW),  # nothing known: the grid is square one way
        ((2, 7, 7, 5), {}, BHWC),
        ((2, 6, 4), {}, BNC),
        ((2, 8, 4, 4), {"norm": nn.GroupNorm(2, 8)}, BCHW),  # a layer that sees the same shape
        ((2, 8, 8, 8), {"norm": nn.GroupNorm(2, 8)}, BCHW),
        ((2, 8, 8, 8), {"norm": nn.LayerNorm(8)}, BHWC),
        ((2, 4, 6), {"conv": nn.Conv1d(4, 4, 1)}, BCN),
    ],
)
def test_a_module_without_weights_is_told_by_what_stands_around_it(shape, neighbours, expected):
    model = Holding(**{"pass": Pass()}, **neighbours)
    assert sites(model, torch.randn(shape))["pass"].writes.layout == expected


class Scale(nn.Module):
    """Has the width of its channels, but is no layer that we know."""

    def __init__(self, width, dim):
        super().__init__()
        self.weight, self.dim = nn.Parameter(torch.ones(width)), dim

    def forward(self, x):
        return x * self.weight.view([-1 if at == self.dim else 1 for at in range(x.ndim)])


@pytest.mark.parametrize(
    ("shape", "dim", "expected"),
    [((2, 6, 3, 9), 1, BCHW), ((2, 3, 9, 6), 3, BHWC), ((2, 6, 3), 1, BCN), ((2, 3, 6), 2, BNC)],
)
def test_an_unknown_module_is_told_by_the_width_of_its_weights(shape, dim, expected):
    assert sites(Holding(scale=Scale(6, dim)), torch.randn(shape))["scale"].writes.layout == expected


@pytest.mark.parametrize("shape", [(2, 6, 3, 6), (2, 6, 6, 6)])
def test_channels_that_could_be_first_or_last_are_not_guessed(shape):
    assert sites(Holding(scale=Scale(6, 1)), torch.randn(shape))["scale"].writes is None


def test_layers_that_disagree_decide_nothing():
    model = Holding(inner=Holding(norm=nn.GroupNorm(2, 4), last=nn.LayerNorm(4)))
    assert sites(model, torch.randn(2, 4, 4, 4))["inner"].writes is None
    assert sites(model, torch.randn(2, 4, 5, 4))["inner"].writes is None


class Tuple(nn.Module):
    def forward(self, x, *, mask=None):
        return self.inner(x=x), mask

    def __init__(self):
        super().__init__()
        self.inner = Named()


class Named(nn.Module):
    def forward(self, x):
        return x


def test_a_tuple_gives_its_first_item_and_a_keyword_can_be_the_input():
    points = sites(Holding(tuple=Tuple(), last=First()), torch.randn(2, 3, 4))
    assert seen(points["tuple"].writes) == (BNC, 4, 3, 2)
    assert seen(points["tuple.inner"].reads) == (BNC, 4, 3, 2)


class First(nn.Module):
    def forward(self, pair):
        return pair[0]


def test_keyword_arguments_reach_the_model():
    assert "inner" in sites(Tuple(), torch.randn(2, 3, 4), mask=None)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.unused = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.act(self.act(x)[:, :2])


def test_a_module_that_runs_with_several_shapes_is_no_site_and_one_that_does_not_run_no_point():
    points = sites(Twice(), torch.randn(2, 3, 4))
    assert list(points) == ["act"]
    assert points["act"].reads is points["act"].writes is None
    assert len(points["act"].shapes) == 2


def test_the_probe_leaves_no_trace():
    model = Holding(norm=nn.BatchNorm2d(3), drop=nn.Dropout(0.5), frozen=freeze(nn.BatchNorm2d(3))).train()
    model.drop.eval()
    before, modes = fingerprint(model), [module.training for module in model.modules()]
    state = torch.get_rng_state()
    sites(model, PICTURE)
    assert fingerprint(model) == before
    assert [module.training for module in model.modules()] == modes == [True, True, False, False]
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_probe_leaves_no_trace_where_the_model_fails():
    model = Holding(norm=nn.BatchNorm2d(5)).train()
    with pytest.raises(RuntimeError):
        sites(model, PICTURE)
    assert model.training
    assert model.norm.training
    assert not model.norm._forward_hooks


def test_the_meta_device_will_do():
    with torch.device("meta"):
        model, picture = swin(), torch.zeros(2, 3, 32, 64)
    assert seen(sites(model, picture)["features.3.1"].writes) == (BHWC, 16, 32, 2)
