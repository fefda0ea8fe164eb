"""Side mode against a slow oracle: residuals beside the encoders, none of whose work is kept or repeated."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from toys import Mix, ToyAdapter, toy_encoder

from crossmodal.adapters import Bottleneck, guided_adapter
from crossmodal.injection import (
    Lockstep,
    couplers_for,
    fingerprint,
    freeze,
    from_stage,
    paired_as_paper,
    paired_as_released,
    side,
)
from crossmodal.ledger import cost

PAIRINGS = [paired_as_released, paired_as_paper]
small = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))


def lockstep(factory=small, pairing=paired_as_paper, depths=((1, 3), (1, 1)), edges=None):
    torch.manual_seed(0)
    encoders = {"visual": freeze(toy_encoder(depths[0])), "audio": freeze(toy_encoder(depths[1], width=6))}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = pairing(sites)
    return Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, factory, edges=edges)).double()


def awake(model):
    """No gate is silent any more."""
    for name, parameter in model.named_parameters():
        if name.endswith(("scale", "gate")):
            parameter.data.fill_(0.3)
    return model


def inputs(frames=3):
    torch.manual_seed(1)
    return {name: torch.randn(frames, 8, 3, dtype=torch.float64) for name in ("visual", "audio")}


def oracle(model, inputs):
    """The equations, written out: what encoders say alone, then side streams that start at zero."""
    alone = {}
    for name, encoder in model.encoders.items():
        stream = alone[name, "stem"] = encoder.stem(inputs[name]).detach()
        for section in encoder.names:
            stream = alone[name, section] = encoder.section(section)(stream).detach()
    at = dict.fromkeys(inputs, "stem")
    sides = {name: torch.zeros_like(alone[name, "stem"]) for name in inputs}
    for step in model.steps:
        seen = {name: alone[name, at[name]] + sides[name] for name in inputs}
        for name, sections in step.sections.items():
            for section in sections:
                at[name] = section
                if section.endswith("merge"):  # pairs of tokens become one
                    pairs = (sides[name][:, 0::2] + sides[name][:, 1::2]) / 2
                    carry = model.carries[f"{name}_{section.replace('.', '', 1).replace('.', '_')}"]
                    sides[name] = pairs @ carry.project.weight.mT
        for guide, name in model.couplers[step.coupler].edges if step.coupler else ():
            adapter = getattr(model.couplers[step.coupler], f"{guide}_{name}")
            sides[name] = sides[name] + adapter(seen[name], seen[guide]).residual
    return {name: alone[name, at[name]] + sides[name] for name in inputs}


def gradients(model, streams):
    for parameter in model.parameters():
        parameter.grad = None
    sum(stream.square().sum() for stream in streams.values()).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("depths", [((1, 3), (1, 1)), ((2,), (2,))])
def test_outputs_and_gradients_are_those_of_the_equations(pairing, depths):
    model = awake(side(lockstep(pairing=pairing, depths=depths))).train()
    for parameter in model.carries.parameters():
        assert parameter.dtype == torch.float64
    found, expected = model(inputs()).streams, oracle(copy.deepcopy(model), inputs())
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    twin = copy.deepcopy(model)
    one, other = gradients(model, model(inputs()).streams), gradients(twin, oracle(twin, inputs()))
    assert one.keys() == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_before_training_it_is_its_encoders_bit_for_bit():
    model = side(lockstep()).eval()
    found, alone = model(inputs()).streams, lockstep(edges=())(inputs()).streams
    assert all(torch.equal(found[name], alone[name]) for name in alone)


class Shift(nn.Module):
    """A section that adds the same to whatever comes."""

    def __init__(self, width: int):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(width))

    def forward(self, stream):
        return stream + self.shift


def test_where_sections_do_not_transform_residuals_it_is_the_plain_lockstep():
    plain = awake(lockstep(depths=((2,), (2,))))
    for encoder in plain.encoders.values():
        for key in encoder.sections:
            encoder.sections[key] = freeze(Shift(encoder.sites[0].width).double())
    beside = side(plain)
    assert not list(beside.carries)
    expected = gradients(plain, plain(inputs()).streams)
    torch.testing.assert_close(beside(inputs()).streams, plain(inputs()).streams, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(gradients(beside, beside(inputs()).streams), expected, rtol=1e-9, atol=1e-11)


def test_nothing_of_an_encoder_is_kept_or_repeated():
    model = lockstep()
    plain, beside = cost(model, inputs()), cost(side(model), inputs())
    for name in ("visual", "audio"):
        assert plain[f"encoders.{name}"].backward > 0 < plain[f"encoders.{name}"].saved
        assert beside[f"encoders.{name}"].backward == 0 == beside[f"encoders.{name}"].saved
        assert beside[f"encoders.{name}"].forward == plain[f"encoders.{name}"].forward
    assert beside["couplers"].forward == plain["couplers"].forward


def test_what_is_beside_needs_no_encoder():
    model = awake(side(lockstep())).train()
    features = model.read(inputs())
    assert set(features) == set(model.reads)
    assert not any(stream.requires_grad for stream in features.values())
    whole = model(inputs(), taps=["audio.stem"])
    calls = [block._calls for block in model.modules() if isinstance(block, Mix)]
    parts = copy.deepcopy(model).beside(features, taps=["audio.stem"])
    assert calls == [block._calls for block in model.modules() if isinstance(block, Mix)]
    for one, other in ((parts.streams, whole.streams), (parts.taps, whole.taps)):
        assert one.keys() == other.keys()
    twin = copy.deepcopy(model)
    one, other = gradients(model, model(inputs()).streams), gradients(twin, twin.beside(features).streams)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_frames_run_through_encoders_a_few_at_a_time():
    model = side(lockstep(), at_once=2)
    torch.testing.assert_close(model.read(inputs(5)), side(lockstep()).read(inputs(5)), rtol=1e-12, atol=1e-13)
    assert {block._calls for block in model.modules() if isinstance(block, Mix)} == {3}


def test_a_late_coupling_reads_less_and_carries_nothing_before_it():
    model = side(lockstep(pairing=from_stage(paired_as_paper, 1)))
    assert not list(model.carries)
    early = {site for site in model.reads if ".stages.0." in site and not site.endswith("merge")}
    assert not early
    assert {"visual.stages.0.merge", "audio.stages.0.merge", "visual.stages.1.2.mlp"} <= set(model.reads)


def test_taps_hold_residuals_where_they_have_been_added():
    model = awake(side(lockstep()))
    everywhere = [f"{name}.{site.name}" for name, sites in model.sites.items() for site in sites]
    coupled = model(inputs(), taps=everywhere)
    alone = model.read(inputs(), taps=everywhere)
    assert sorted(coupled.taps) == sorted(everywhere)
    assert torch.equal(coupled.taps["visual.stem"], alone["visual.stem"])
    assert not torch.equal(coupled.taps["visual.stages.0.0.attention"], alone["visual.stages.0.0.attention"])
    for name, stream in coupled.streams.items():
        assert torch.equal(coupled.taps[f"{name}.{model.sites[name][-1].name}"], stream)


def test_a_missing_modality_guides_nothing():
    model = awake(side(lockstep()))
    found = model({**inputs(), "audio": None}).streams
    assert found.keys() == {"visual"}
    torch.testing.assert_close(found["visual"], model.read(inputs())["visual.stages.1.2.mlp"])


def test_compiled_whole_it_equals_eager(monkeypatch):
    monkeypatch.setattr(Mix, "forward", lambda self, stream: stream + self.linear(stream).tanh())  # counts no calls
    model = awake(side(lockstep(partial(ToyAdapter, gate=0.5)))).train()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected = gradients(model, model(inputs()).streams)
    torch.testing.assert_close(compiled(inputs()).streams, model(inputs()).streams)
    torch.testing.assert_close(gradients(model, compiled(inputs()).streams), expected)


def test_encoders_keep_their_fingerprint_and_names_stay():
    plain = lockstep()
    model = awake(side(plain)).train()
    before = fingerprint(model.encoders)
    gradients(model, model(inputs()).streams)
    assert fingerprint(model.encoders) == before
    assert model.encoders["visual"] is plain.encoders["visual"]
    added = {"carries.visual_stages0_merge.project.weight", "carries.audio_stages0_merge.project.weight"}
    assert set(model.state_dict()) - set(plain.state_dict()) == added


def test_what_does_not_fit_is_told():
    plain = lockstep()
    with pytest.raises(ValueError, match=r"SideLockstep: at_once=0 must be at least 1"):
        side(plain, at_once=0)
    features = side(plain).read(inputs())
    with pytest.raises(ValueError, match=r"features have no 'audio.stem', which couplers read; given are"):
        side(plain).beside({site: stream for site, stream in features.items() if site != "audio.stem"})
    with pytest.raises(ValueError, match=r"features\['audio.stem'\] is \(3, 7, 6\), expected \(frame, 8, 6\)"):
        side(plain).beside({**features, "audio.stem": features["audio.stem"][:, 1:]})
    plain.encoders["audio"].stem.weight.requires_grad_()
    with pytest.raises(ValueError, match=r"SideLockstep: 1 parameters of the encoder 'audio' take gradients"):
        side(plain)
