"""One argument: every keyword of every recipe, replaced by something of our own, trained a step, asked the laws."""

import inspect
from dataclasses import replace
from functools import partial

import pytest
import torch
from systems import tiny
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.adapters import Adapted, Bottleneck, GuidedAdapter, Modulation, ResidualModulated, own_stream
from crossmodal.data.world import World
from crossmodal.guidance import SegmentGuidance
from crossmodal.heads import event_loss
from crossmodal.injection import Step, fingerprint
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish, lavish_shared
from crossmodal.site import Site, folded_axes
from crossmodal.testing import Trial, check_lockstep, laws
from crossmodal.testing.encoder import LOCKSTEP, Whole

FRAMES = 20  # two clips


class MyChannel(nn.Module):
    def __init__(self, channels, cue_channels):
        super().__init__()
        self.mine = nn.Linear(cue_channels, channels)

    def forward(self, stream, cue):
        return self.mine(cue + stream.mean(1)).sigmoid()[:, None]


class MySpatial(nn.Module):
    def __init__(self, channels, cue_channels):
        super().__init__()
        self.mine = nn.Linear(cue_channels, channels)

    def forward(self, stream, cue):
        return (stream @ self.mine(cue)[:, :, None]).sigmoid()


class MyFrequency(nn.Module):
    def __init__(self, channels, cue_channels, *, bands):
        super().__init__()
        self.mine, self.bands = nn.Linear(cue_channels, max(bands) + 1), list(bands)

    def forward(self, stream, cue):
        return self.mine(cue)[:, self.bands, None].sigmoid()


class MyTemporal(nn.Module):
    def __init__(self, channels, cue_channels):
        super().__init__()
        self.mine = nn.Linear(cue_channels, 1)

    def forward(self, stream, cue):
        return self.mine(cue).sigmoid()[:, None]


class MyAlign(nn.Module):
    """Every token of the stream is shown the loudest of the guide."""

    def __init__(self, stream: Site, guide: Site):
        super().__init__()
        self.mine, self.tokens = nn.Linear(guide.width, stream.width), stream.tokens

    def forward(self, guide):
        return self.mine(guide.amax(1, keepdim=True)).expand(-1, self.tokens, -1)

    def pooled(self, guide):
        return self(guide).mean(1)

    def attend(self, latents, guide):
        aligned = self(guide)
        return (latents @ aligned.mT).softmax(-1) @ aligned


class MyLatents(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mine = nn.Parameter(torch.rand(3, channels))

    def forward(self, stream, guide, align):
        read = align.attend(self.mine[None], guide)
        return stream + read.mean(1, keepdim=True)


class MyBottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mine, self.gate = nn.Linear(channels, channels), nn.Parameter(torch.zeros(1))

    def forward(self, stream):
        return self.gate * self.mine(stream)


class MyAdapter(ToyAdapter):
    def __init__(self, stream: Site, guide: Site):
        super().__init__(stream, guide)
        self.mine = nn.Linear(stream.width, stream.width)

    def forward(self, stream, guide):
        residual, maps = super().forward(self.mine(stream), guide)
        return Adapted(residual + self.gate * self.mine(stream), maps)


def grouped(channels):
    return Bottleneck(channels, reduction=4, groups=1)


def my_pairing(sites):
    """All of one stream, then all of the other, but for the last section of both, which are coupled."""
    alone = [Step({name: tuple(site.name for site in of[1:-1])}) for name, of in sites.items()]
    return (*alone, Step({name: (of[-1].name,) for name, of in sites.items()}, coupler="mine"))


PARTS = {"align": MyAlign, "latents": MyLatents, "bottleneck": MyBottleneck}
ROUTES = {"pairing": my_pairing, "edges": (("audio", "visual"),), "guide": own_stream}
GUIDANCE = {"channel": MyChannel, "spatial": MySpatial, "temporal": MyTemporal, "alpha": 0.7, "beta": 0.6, "gamma": 0.5}
MINE = {
    dg_sct: {**GUIDANCE, "frequency": MyFrequency, **PARTS, "order": GuidedAdapter, "adapter": MyAdapter, **ROUTES},
    dg_sct_released: {**GUIDANCE, **PARTS, "order": ResidualModulated, "adapter": MyAdapter, **ROUTES},
    lavish: {**PARTS, **ROUTES},
    lavish_shared: {name: mine for name, mine in {**PARTS, **ROUTES}.items() if name != "align"},
}
"""Recipe → keyword → what takes its place."""
MORE = {
    dg_sct: {"channel": None, "spatial": None, "temporal": None, "latents": 0, "edges": ()},
    dg_sct_released: {"channel": None, "spatial": None, "temporal": SegmentGuidance, "latents": 2, "edges": ()},
    lavish: {"latents": 2, "edges": (("visual", "audio"),), "bottleneck": grouped},
    lavish_shared: {"latents": 5},
}
"""What else a keyword takes: absence, a number, a class of ours."""
CASES = [
    pytest.param(recipe, keyword, value, id=f"{recipe.__name__}-{keyword}={getattr(value, '__name__', value)}")
    for table in (MINE, MORE)
    for recipe, keywords in table.items()
    for keyword, value in keywords.items()
]
ASKED = [
    laws.equals_its_encoders,
    laws.frames_do_not_leak,
    laws.every_coupler_learns,
    laws.frozen_encoders_stay,
    laws.state_dict_round_trip,
]


def heard(encoder):
    """An encoder whose tokens lie on a folded spectrogram of two chunks."""
    encoder.sites = tuple(
        Site(s.name, s.width, folded_axes(s.tokens // 2, 2, chunks=2), s.stage, s.block, s.part) for s in encoder.sites
    )
    return encoder


def build(recipe, **keywords):
    if recipe is lavish_shared:
        return recipe(toy_encoder((1,), width=16), **keywords)
    visual, audio = toy_encoder((2,), width=16), heard(toy_encoder((1,), width=16, tokens=4))
    return recipe(visual, audio, **keywords)


def trial_of(recipe, **keywords):
    torch.manual_seed(0)
    model = build(recipe, **keywords)
    inputs = {name: torch.randn(FRAMES, sites[0].tokens, 3) for name, sites in model.sites.items()}
    return Trial(partial(build, recipe, **keywords), inputs, lambda block, given: block(dict(given)))


def own(model, keyword, value):
    """The modules of the class that took a keyword's place, as (name, module)."""
    if not inspect.isclass(value):
        return []
    return [(name, module) for name, module in model.named_modules() if type(module) is value]


@pytest.mark.parametrize("recipe", MINE, ids=lambda recipe: recipe.__name__)
def test_no_keyword_escapes(recipe):
    parameters = inspect.signature(recipe).parameters.values()
    assert set(MINE[recipe]) == {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize(("recipe", "keyword", "value"), CASES)
def test_the_laws_hold(recipe, keyword, value):
    trial = trial_of(recipe, **{keyword: value})
    empty = keyword == "edges" and not value
    for law in ASKED:
        if not (empty and law is laws.every_coupler_learns):  # nothing couples, nothing can learn
            law(trial)


@pytest.mark.parametrize(("recipe", "keyword", "value"), CASES)
def test_a_step_moves_what_is_ours_and_never_the_encoders(recipe, keyword, value):
    trial = trial_of(recipe, **{keyword: value})
    model = trial.woken().train()
    before, frozen = {name: p.clone() for name, p in model.named_parameters()}, fingerprint(model.encoders)
    streams, maps, _ = model(dict(trial.inputs))
    for by_edge in maps.values():
        for of in by_edge.values():
            assert all(((found >= 0) & (found <= 1)).all() for found in of.values())
    if not (keyword == "edges" and not value):
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
        sum((stream * stream.detach().sin()).sum() for stream in streams.values()).backward()
        optimizer.step()
    assert fingerprint(model.encoders) == frozen
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    for name, module in own(model, keyword, value):
        assert {f"{name}.{inner}" for inner, _ in module.named_parameters()} & moved, name


@pytest.mark.parametrize(("recipe", "keyword", "value"), CASES)
def test_what_is_given_is_what_is_built(recipe, keyword, value):
    """A class of our own sits in every adapter where it belongs; what is absent has no parameters."""
    model = build(recipe, **{keyword: value})
    adapters = [a for coupler in model.couplers.values() for a in coupler.children()]
    if inspect.isclass(value) and keyword != "frequency":
        assert len(own(model, keyword, value)) == len(adapters) > 0
    if keyword == "frequency":
        assert {name.split(".")[2] for name, _ in own(model, keyword, value)} == {"visual_audio"}
    if value is None:
        assert not [name for name, _ in model.named_parameters() if f".{keyword}." in name]
        assert [name for name, _ in build(recipe).named_parameters() if f".{keyword}." in name]
    if keyword == "latents" and isinstance(value, int):
        tokens = [p for name, p in model.named_parameters() if name.endswith("latents.tokens")]
        assert [len(p) for p in tokens] == [value] * (len(adapters) if value else 0)
    if keyword == "pairing":
        assert list(model.couplers) == ["mine"]
    if keyword == "edges":
        assert {edge for coupler in model.couplers.values() for edge in coupler.edges} == set(value)


@pytest.mark.parametrize("recipe", [dg_sct, dg_sct_released], ids=lambda recipe: recipe.__name__)
@pytest.mark.parametrize(("keyword", "name"), [("alpha", "channel"), ("beta", "spatial"), ("gamma", "temporal")])
def test_a_number_is_the_weight_of_its_map(recipe, keyword, name):
    model = build(recipe, **{"temporal": SegmentGuidance, keyword: 0.7})
    weights = [getattr(m, f"{name}_weight") for m in modulations(model) if name in m.names]
    assert weights == [0.7] * sum(len(coupler.edges) for coupler in model.couplers.values())


def test_the_base_is_one_in_the_paper_and_lacks_alpha_in_the_release_where_there_is_a_channel_map():
    def bases(recipe, **keywords):
        return {m.base for m in modulations(build(recipe, **keywords))}

    assert bases(dg_sct) == bases(dg_sct, channel=None) == bases(dg_sct, alpha=0.7) == {1.0}
    assert bases(dg_sct_released) == {1 - 0.3}
    assert bases(dg_sct_released, alpha=0.7) == bases(dg_sct_released, alpha=0.7, channel=MyChannel) == {1 - 0.7}
    assert bases(dg_sct_released, alpha=0.7, spatial=None) == {1 - 0.7}
    assert bases(dg_sct_released, channel=None) == bases(dg_sct_released, alpha=0.7, channel=None) == {1.0}


def modulations(model):
    return [module for module in model.modules() if isinstance(module, Modulation)]


def test_bands_take_the_place_of_tokens_in_sound_alone():
    model = build(dg_sct, frequency=MyFrequency)
    names = {name: set(m.names) for name, m in model.named_modules() if isinstance(m, Modulation)}
    assert {frozenset(of) for name, of in names.items() if "visual_audio" in name} == {
        frozenset({"channel", "frequency"}), frozenset({"temporal"})
    }  # fmt: skip
    assert all("frequency" not in of for name, of in names.items() if "audio_visual" in name)


def test_everything_at_once_in_a_whole_model_of_events():
    """All components of `dg_sct` our own, on the shipped encoders, by one clip of the built-in world."""
    torch.manual_seed(0)
    mine = {name: value for name, value in MINE[dg_sct].items() if name not in ("adapter", "pairing", "edges")}
    model = tiny(coupling=partial(dg_sct, **mine)).train()
    clip = World("train", clips=1)[0]
    frozen = fingerprint(model.coupled.encoders)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    for _ in range(2):
        optimizer.zero_grad()
        event_loss(model.score(clip.frames[None], clip.wave[None]), clip.labels[None]).backward()
        optimizer.step()
    gradients = {name: p.grad for name, p in model.named_parameters() if ".mine." in name or name.endswith(".mine")}
    assert {name.split(".mine")[0].rsplit(".", 1)[1] for name in gradients} >= {"channel", "spatial", "temporal"}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    assert fingerprint(model.coupled.encoders) == frozen


@pytest.mark.slow
@pytest.mark.parametrize("recipe", MINE, ids=lambda recipe: recipe.__name__)
def test_as_it_is_a_recipe_passes_every_law_of_coupled_models(recipe):
    trial = trial_of(recipe)
    check_lockstep(trial.build(), trial.inputs)


@pytest.mark.parametrize("recipe", [dg_sct, lavish_shared], ids=lambda recipe: recipe.__name__)
def test_as_it_is_a_recipe_passes_every_law_but_that_of_compiling(recipe):
    """Which takes most of the time, and which a whole model passes in `test_compiled.py`, its parts one by one."""
    trial = trial_of(recipe)
    asked = [law for law in LOCKSTEP.laws if law is not laws.compiled_agrees]
    replace(LOCKSTEP, laws=asked).check(Whole(trial.build(), trial.inputs))
