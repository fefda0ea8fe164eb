"""Pairing by depth: for any two encoders, every block of the shallower one meets one of the deeper one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyAdapter, toy_encoder

from crossmodal.injection import Lockstep, couplers_for, paired_after_attention, paired_as_released, paired_by_depth
from crossmodal.site import Site, grid_axes
from crossmodal.testing import check_pairing
from crossmodal.testing.pairing import hierarchy_sites

depths = st.lists(st.integers(1, 7), min_size=1, max_size=4)


def blocks(sites):
    return [tuple(site.name for site in sites if site.block == b and site.stage == s) for s, b in places(sites)]


def places(sites):
    return dict.fromkeys((site.stage, site.block) for site in sites if site.block is not None)


@given(depths, depths, st.booleans(), st.booleans())
def test_every_block_of_the_shallower_meets_its_relative_depth(ours, theirs, halves, other_halves):
    sites = {
        "visual": hierarchy_sites(ours, halves=halves),
        "audio": hierarchy_sites(theirs, halves=other_halves),
    }
    steps = paired_by_depth(sites)
    for name, of in sites.items():  # every section once, in order
        assert sum((step.sections.get(name, ()) for step in steps), ()) == tuple(site.name for site in of[1:])
    coupled = [step.sections for step in steps if step.coupler]
    numbers = {
        name: {section: n for n, block in enumerate(blocks(of)) for section in block} for name, of in sites.items()
    }
    met = sorted({tuple(numbers[name][step[name][0]] for name in sites) for step in coupled})
    deeper, shallower = max(sum(ours), sum(theirs)), min(sum(ours), sum(theirs))
    expected = [(j * deeper // shallower - 1, j - 1) for j in range(1, shallower + 1)]
    assert met == (expected if sum(ours) >= sum(theirs) else sorted((j, i) for i, j in expected))
    assert met[-1] == (sum(ours) - 1, sum(theirs) - 1)
    assert len(coupled) == len(met) * (2 if halves and other_halves else 1)
    names = [step.coupler for step in steps if step.coupler]
    assert len(set(names)) == len(names)


def test_all_laws_of_pairings_hold():
    check_pairing(paired_by_depth)


def test_where_depths_divide_blocks_meet_as_in_the_released_schedule():
    sites = {"visual": hierarchy_sites((2, 6), halves=True), "audio": hierarchy_sites((2, 2), halves=True)}

    def meetings(pairing):
        return [step.sections["visual"] for step in pairing(sites) if step.coupler]

    assert len(meetings(paired_by_depth)) == 2 * 4
    deep = hierarchy_sites((6,), halves=True)
    for pairing in (paired_by_depth, paired_as_released):
        steps = pairing({"visual": deep, "audio": hierarchy_sites((2,), halves=True)})
        assert [s.coupler for s in steps if s.coupler] == [
            f"stages0_{b}_{p}" for b in (2, 5) for p in ("attention", "mlp")
        ]


def test_encoders_of_any_depths_run_in_lockstep():
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder((5,), halves=False), "audio": toy_encoder((1, 2), width=6)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_by_depth(sites)
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, ToyAdapter))
    inputs = {name: torch.randn(2, 8, 3) for name in encoders}
    for name, stream in model(inputs).streams.items():
        assert torch.equal(encoders[name].head(stream), encoders[name](inputs[name]))


def test_a_stream_without_blocks_is_named():
    vector = (Site("stem", 4, grid_axes(1, 1), part="stem"),)
    with pytest.raises(ValueError, match="audio has no block that keeps its width and tokens; cut it at others"):
        paired_by_depth({"visual": hierarchy_sites((2,), halves=True), "audio": vector})


def test_after_attention_couplers_read_behind_the_first_half_and_before_the_second():
    first = [Site("stem", 2, {"row": (0,)}, part="stem")]
    second = list(first)
    for block in range(2):
        first += [Site(f"stages.0.{block}.{part}", 2, {"row": (0,)}, 0, block, part) for part in ("attention", "mlp")]
        second += [Site(f"stages.{block}.0.block", 2, {"row": (0,)}, block, 0, "block")]
        second += [Site(f"stages.{block}.merge", 2, {"row": (0,)}, block, None, "merge")]
    steps = paired_after_attention({"visual": first, "audio": second})
    told = [(dict(step.sections), step.coupler) for step in steps]
    assert told[:3] == [
        ({"visual": ("stages.0.0.attention",), "audio": ("stages.0.0.block",)}, None),
        ({"visual": (), "audio": ()}, "stages0_0_attention"),
        ({"visual": ("stages.0.0.mlp",), "audio": ()}, "stages0_0_mlp"),
    ]
    assert told[3] == ({"visual": (), "audio": ("stages.0.merge",)}, None)
    assert told[-1] == ({"visual": (), "audio": ("stages.1.merge",)}, None)
    with pytest.raises(ValueError, match="2 blocks and audio 1"):
        paired_after_attention({"visual": first, "audio": second[:2]})
