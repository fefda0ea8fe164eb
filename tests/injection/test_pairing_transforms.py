"""Late injection: the same schedule, silent before a stage, and nothing kept there."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyAdapter, toy_encoder

from crossmodal.injection import Lockstep, couple, couplers_for, freeze, from_stage, paired_as_paper, paired_as_released
from crossmodal.ledger import cost

PAIRINGS = [paired_as_released, paired_as_paper]


def sites(depths=(1, 1, 1)):
    return {"visual": toy_encoder(depths).sites, "audio": toy_encoder(depths, width=6).sites}


@given(st.sampled_from(PAIRINGS), st.integers(0, 2))
def test_couplers_from_the_stage_on_are_those_of_the_pairing(pairing, stage):
    whole, late = pairing(sites()), from_stage(pairing, stage)(sites())
    assert [step.sections for step in late] == [step.sections for step in whole]
    kept = [step.coupler for step in late if step.coupler]
    assert kept == [step.coupler for step in whole if step.coupler and int(step.coupler[6]) >= stage]
    assert all(step in whole for step in late if step.coupler)


def test_nothing_is_kept_of_what_runs_before():
    encoders = {"visual": freeze(toy_encoder((1, 1))), "audio": freeze(toy_encoder((1, 1)))}
    of = {name: encoder.sites for name, encoder in encoders.items()}
    found = {}
    for stage in (0, 1):
        steps = from_stage(paired_as_paper, stage)(of)
        model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, of, partial(ToyAdapter, gate=1.0)))
        found[stage] = cost(model, {name: torch.zeros(2, 8, 3) for name in encoders})
    for name in encoders:
        early, late = (f"encoders.{name}.sections.{section}" for section in ("stages0_0_mlp", "stages1_0_mlp"))
        assert found[0][early].saved > found[1][early].saved == 0
        assert found[0][early].backward > found[1][early].backward == 0
        assert found[1][late].backward > 0


def test_no_gradient_enters_a_stream_that_nothing_trained_writes_or_that_nobody_reads():
    """One direction leaves none in the guide's encoder; nor is there any behind the last coupler that is read."""

    def counted(edges, loss=None):
        encoders = [toy_encoder((1, 1)) for _ in range(2)]
        model = couple(*encoders, adapter=partial(ToyAdapter, gate=1.0), pairing=paired_as_paper, edges=edges)
        return cost(model, {name: torch.zeros(2, 8, 3) for name in ("visual", "audio")}, loss=loss)

    one_way = counted((("audio", "visual"),))
    assert (one_way["encoders.audio"].backward, one_way["encoders.audio"].saved) == (0, 0)
    assert one_way["encoders.visual"].backward > 0
    visual_alone = counted(None, loss=lambda coupled: coupled.streams["visual"].sum())
    assert visual_alone["encoders.audio.sections.stages1_0_mlp"].backward == 0
    assert visual_alone["couplers.stages1_0_mlp.visual_audio"].backward == 0
    assert visual_alone["couplers.stages1_0_mlp.audio_visual"].backward > 0
    assert visual_alone["encoders.audio.sections.stages1_0_attention"].backward > 0


def test_a_stage_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"from_stage: stage=3 does not exist; the streams have stages \[0, 1, 2\]"):
        from_stage(paired_as_paper, 3)(sites())
