import pytest
import torch
from torch import nn

from crossmodal.encoders.hierarchy import build_hierarchy, init_linear, plan_stages
from crossmodal.site import grid_axes


def test_the_grid_halves_the_width_doubles_and_depth_drops_linearly():
    stages = plan_stages("model", (48, 24), 10, (2, 1, 2), (1, 2, 4), 0.4)
    assert [stage.grid for stage in stages] == [(48, 24), (24, 12), (12, 6)]
    assert [stage.width for stage in stages] == [10, 20, 40]
    assert [stage.heads for stage in stages] == [1, 2, 4]
    assert [rate for stage in stages for rate in stage.drop_paths] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert plan_stages("model", (4, 4), 8, (1,), (1,), 0.5)[0].drop_paths == (0.0,)


def test_sections_and_sites_carry_the_names_of_the_design():
    encoder = build_hierarchy(
        plan_stages("model", (4, 4), 2, (1, 2), (1, 1), 0.0),
        stem=nn.Identity(),
        attention=lambda stage, block: nn.Identity(),
        mlp=lambda stage, block: nn.Identity(),
        merge=lambda stage: nn.Linear(stage.width, 2 * stage.width),
        axes=grid_axes,
    )
    assert encoder.names == (
        "stages.0.0.attention",
        "stages.0.0.mlp",
        "stages.0.merge",
        "stages.1.0.attention",
        "stages.1.0.mlp",
        "stages.1.1.attention",
        "stages.1.1.mlp",
    )
    found = [(site.part, site.stage, site.block, site.width, site.tokens) for site in encoder.sites]
    assert found == [
        ("stem", 0, None, 2, 16),
        ("attention", 0, 0, 2, 16),
        ("mlp", 0, 0, 2, 16),
        ("merge", 0, None, 4, 4),
        ("attention", 1, 0, 4, 4),
        ("mlp", 1, 0, 4, 4),
        ("attention", 1, 1, 4, 4),
        ("mlp", 1, 1, 4, 4),
    ]


def test_linear_layers_start_as_published():
    torch.manual_seed(0)
    layer = nn.Linear(400, 400)
    init_linear(layer)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not layer.bias.any()
    init_linear(nn.Linear(2, 2, bias=False))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heads": (1, 1)}, r"model: depths=\(2, 1, 2\) and heads=\(1, 1\) must name the same stages"),
        ({"depths": (), "heads": ()}, r"model: depths=\(\) and heads=\(\)"),
        ({"grid": (4, 6)}, r"model: 3 stages halve the grid 2 times, so 4 must divide both sides .* grid=\(4, 6\)"),
        ({"drop_path": 1.0}, r"model: drop_path=1.0 must lie in \[0, 1\)"),
    ],
)
def test_a_plan_that_cannot_be_built_is_refused(changed, message):
    sizes = {"grid": (4, 4), "width": 8, "depths": (2, 1, 2), "heads": (1, 1, 1), "drop_path": 0.1} | changed
    with pytest.raises(ValueError, match=message):
        plan_stages("model", **sizes)
