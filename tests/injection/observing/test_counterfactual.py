"""What changes when the guide is taken away: nothing at closed gates, and else what an oracle by hand says."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from third_party import PICTURE, SOUND, Whisper, inject, vit
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.injection import (
    Lockstep,
    checkpointed,
    counterfactual,
    couplers_for,
    paired_as_paper,
    paired_as_released,
    without_guide,
)
from crossmodal.injection.observing.counterfactual import changed

EDGES = [("audio", "visual"), ("visual", "audio")]


def lockstep(gate=0.5, pairing=paired_as_paper, edges=None, seed=0):
    torch.manual_seed(seed)
    encoders = {"visual": toy_encoder((1, 2)), "audio": toy_encoder((1, 1), width=6)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = pairing(sites)
    couplers = couplers_for(steps, sites, partial(ToyAdapter, gate=gate), edges=edges)
    torch.manual_seed(seed + 1)
    return Lockstep(encoders, steps=steps, couplers=couplers).eval()


def fewer_edges(model, edges):
    """The oracle: the same weights in a lockstep whose couplers have these edges alone."""
    bare = lockstep(edges=edges)
    bare.load_state_dict(model.state_dict(), strict=False)
    return bare


def inputs(frames=3):
    random = torch.Generator().manual_seed(1)
    return {name: torch.randn(frames, 8, 3, generator=random) for name in ("visual", "audio")}


@settings(max_examples=10)
@given(st.integers(0, 99), st.sampled_from([paired_as_paper, paired_as_released]), st.sampled_from([None, *EDGES]))
def test_closed_gates_change_nothing_at_all(seed, pairing, without):
    found = counterfactual(lockstep(0.0, pairing, seed=seed), inputs(), without=without)
    assert found.change.keys() == lockstep(0.0, pairing).couplers.keys()
    for streams in found.change.values():
        assert all((change == 0).all() for change in streams.values())
    for name, stream in found.guided.streams.items():
        assert torch.equal(stream, found.unguided.streams[name])


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_taken_away_is_an_edge_that_was_never_there(edge):
    model = lockstep()
    (kept,) = (other for other in EDGES if other != edge)
    found, bare = counterfactual(model, inputs(), without=edge), fewer_edges(model, (kept,))
    expected = bare(inputs()).streams
    for name, stream in found.unguided.streams.items():
        torch.testing.assert_close(stream, expected[name])
    for name, stream in model(inputs()).streams.items():
        assert torch.equal(found.guided.streams[name], stream)


def test_without_any_guide_the_frozen_encoders_are_left():
    model = lockstep()
    with without_guide(model) as names:
        streams = model(inputs()).streams
    assert len(names) == sum(len(coupler.edges) for coupler in model.couplers.values())
    for name, stream in streams.items():
        encoder = model.encoder(name)
        assert torch.equal(encoder.head(stream), encoder(inputs()[name]))


def test_the_change_is_told_token_by_token_after_the_step():
    model = lockstep()
    found = counterfactual(model, inputs(), without="couplers.stages0_0_mlp.audio_visual")
    before, at = found.change["stages0_0_attention"], found.change["stages0_0_mlp"]
    assert all((change == 0).all() for change in before.values())  # it has not happened yet
    assert (at["audio"] == 0).all()
    assert (at["visual"] > 0).all()
    assert (found.change["stages1_1_mlp"]["audio"] > 0).all()  # and comes back from the other side
    taps = ["visual.stages.0.0.mlp"]
    with_it, without = (run.taps[taps[0]] for run in (found.guided, found.unguided))
    for frame in range(3):
        for token in range(8):
            apart = (with_it[frame, token] - without[frame, token]).square().sum().sqrt()
            expected = (apart / without[frame, token].square().sum().sqrt()).item()
            assert at["visual"][frame, token, 0].item() == pytest.approx(expected, rel=1e-5)


def test_a_model_around_a_lockstep_and_a_checkpointed_one_are_looked_into():
    class Whole(nn.Module):
        def __init__(self, coupled):
            super().__init__()
            self.coupled = coupled

        def forward(self, visual, *, audio):
            return self.coupled({"visual": visual, "audio": audio}).streams["visual"].mean(1)

    given = inputs()
    plain = counterfactual(lockstep(), given).change
    for coupled in (lockstep(), checkpointed(lockstep())):
        found = counterfactual(Whole(coupled).eval(), given["visual"], audio=given["audio"])
        assert found.guided.shape == found.unguided.shape == (3, 8)
        for coupler, streams in plain.items():
            for name, change in streams.items():
                assert torch.equal(found.change[coupler][name], change)


def test_what_is_read_instead_of_the_guide_may_be_given():
    model = lockstep()
    found = counterfactual(model, inputs(), instead=lambda stream, guide: 0 * guide)
    with without_guide(model, instead=lambda stream, guide: guide):
        assert torch.equal(model(inputs()).streams["visual"], found.guided.streams["visual"])
    alone = counterfactual(model, inputs())
    assert not torch.equal(found.unguided.streams["visual"], alone.unguided.streams["visual"])


def test_an_injected_model_is_silenced_too():
    torch.manual_seed(0)
    picture = PICTURE[..., :32]
    model = inject(vit().eval(), picture, {"encoder.layers.*.mlp": Whisper})
    with without_guide(model, "adapters.*"):
        torch.testing.assert_close(model(picture, guide=SOUND), model(picture))
    assert not torch.equal(model(picture, guide=SOUND), model(picture))


def test_no_trace_is_left_after_an_error_either():
    model = lockstep()
    with pytest.raises(ValueError, match="inputs are given for"):
        counterfactual(model, {"visual": inputs()["visual"]})
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    assert sum(hooks) == 0


def test_a_token_at_zero_that_stays_there_has_not_changed():
    zero, one = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    assert (changed(zero, zero) == 0).all()
    torch.testing.assert_close(changed(3 * one, one), torch.full((1, 2, 1), 2.0))


def test_what_cannot_be_compared_is_refused_in_words():
    model = lockstep()
    with pytest.raises(ValueError, match=r"in training mode, where two forwards differ: call eval\(\) first"):
        counterfactual(lockstep().train(), inputs())
    with pytest.raises(ValueError, match="this Linear holds 0 locksteps, expected one: run the model yourself"):
        counterfactual(nn.Linear(1, 1).eval(), inputs())
    with pytest.raises(
        ValueError, match=r"'couplers.stages9' names no adapter of this Lockstep: nearest are 'couplers"
    ):
        counterfactual(model, inputs(), without="couplers.stages9")
    words = r"\('audio', 'touch'\) names no adapter"
    with pytest.raises(ValueError, match=words), without_guide(model, ("audio", "touch")):
        pass
    with pytest.raises(ValueError, match=r"without_guide: .* lies in a compiled"), without_guide(torch.compile(model)):
        pass
