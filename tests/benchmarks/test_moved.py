"""Passes over a stream in an adapter, counted in bytes: no counter of operations sees them."""

import pytest
import torch
from toys import toy_encoder

from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released

moved = pytest.importorskip("benchmarks.moved")
TOKENS, WIDTH = 64, 32


def bytes_by_kind(recipe):
    """Bytes of forward and backward of all couplers, in streams, by kind of operation."""
    with torch.device("meta"):
        model = recipe(*(toy_encoder((1,), width=WIDTH, tokens=TOKENS) for _ in range(2)))
    inputs = {name: torch.empty(10, TOKENS, 3, device="meta") for name in ("visual", "audio")}
    _, found = moved.moved_by(model, inputs)
    total: dict[str, int] = {}
    for (path, _, kind), number in found.items():
        if path.startswith("couplers."):
            total[kind] = total.get(kind, 0) + number
    one = 10 * TOKENS * WIDTH * 4 * sum(len(coupler.edges) for coupler in model.couplers.values())
    return {kind: number / one for kind, number in total.items()}


@pytest.mark.parametrize(("recipe", "passes"), [(dg_sct, 55), (dg_sct_released, 52)])
def test_an_adapter_passes_over_its_stream_so_often(recipe, passes):
    found = bytes_by_kind(recipe)
    assert found["passes"] <= passes, found
    assert found["copies"] <= 10.6, found


def test_views_move_nothing_and_an_expanded_axis_is_read_once():
    assert moved.touched(torch.empty(1, 3).expand(5, 3)) == 12
    assert moved.kind_of(torch.ops.aten.mm.default) == "products"
    assert moved.kind_of(torch.ops.aten.native_layer_norm.default) == "norms and activations"
    assert moved.kind_of(torch.ops.aten.add.Tensor) == "passes"
    assert moved._is_view(torch.ops.aten.view.default)
    assert not moved._is_view(torch.ops.aten.add_.Tensor)
