"""What the maps do: each is replaced by another, and residuals, streams and scores are compared."""

from functools import partial

import pytest
import torch
from systems import tiny
from torch.utils.data import default_collate

from crossmodal.adapters import GuidedAdapter
from crossmodal.data.world import World
from crossmodal.evaluation.map_effects import (
    REPLACEMENTS,
    effects_frame,
    effects_text,
    map_blocks,
    map_effects,
    replaced,
)
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish
from crossmodal.recipes.world.maps import with_open_gates
from crossmodal.tasks.ave import TASK


@pytest.fixture(scope="module")
def batch():
    return default_collate([World("test", clips=1)[0]])


@pytest.fixture(scope="module")
def usual(batch):
    return effects(batch)


def effects(batch, **keywords):
    torch.manual_seed(0)
    system = tiny(coupling=partial(dg_sct, **keywords)).eval()
    with_open_gates(system.coupled)
    found = map_effects(system, TASK, [batch])
    return {(effect.map, effect.instead): effect for effect in found}, system


def test_every_map_of_dg_sct_moves_what_it_multiplies(batch, usual):
    found, system = usual
    before = system.score(batch.frames, batch.wave)
    assert list(found) == [(name, instead) for name in ("channel", "spatial", "temporal") for instead in REPLACEMENTS]
    for name, weight in (("channel", 0.3), ("spatial", 0.05), ("temporal", 0.1)):
        random = found[name, "random"]
        assert 0.1 * weight < random.residual < weight
        assert min(random.streams.values()) > 1e-3
        assert found[name, "mean"].residual <= found[name, "shuffled"].residual * 1.001
    with replaced(map_blocks(system)["channel"], REPLACEMENTS["random"]):
        assert not torch.equal(system.score(batch.frames, batch.wave).event, before.event)
    after = system.score(batch.frames, batch.wave)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))  # nothing stays replaced


def test_in_the_published_order_a_temporal_map_moves_nothing(batch):
    found, _ = effects(batch, order=GuidedAdapter)
    assert found["temporal", "random"].residual < 1e-6
    assert found["temporal", "random"].score == 0
    assert found["channel", "random"].residual > 0.03


def test_replacements_keep_shape_and_range():
    map = torch.rand(3, 4, 1)
    for instead in REPLACEMENTS.values():
        other = instead(map)
        assert other.shape == map.shape
        assert ((other >= 0) & (other <= 1)).all()
    assert torch.equal(REPLACEMENTS["shuffled"](map).flatten().sort().values, map.flatten().sort().values)


def test_a_system_without_maps_has_no_effects(batch):
    system = tiny(coupling=lavish).eval()
    assert map_blocks(system) == {}
    assert map_effects(system, TASK, [batch]) == []


def test_a_table_tells_shares_and_points(usual):
    found, _ = usual
    frame = effects_frame(list(found.values()))
    assert list(frame.columns) == [
        "map", "instead", "residual moves", "visual stream moves", "audio stream moves", "score lost"
    ]  # fmt: skip
    assert len(frame) == len(effects_text(list(found.values())).splitlines()) - 1
    assert " %" in effects_text(list(found.values()), markdown=True).splitlines()[2]
