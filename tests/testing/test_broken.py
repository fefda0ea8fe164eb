"""A law that cannot fail is worthless: every block of `broken.py` breaks the law that it says, and no other."""

from dataclasses import replace

import broken
import broken_encoders
import pytest
import torch
from toys import ToyAdapter, toy_encoder

from crossmodal.adapters import Gate, Modulation, Modulations
from crossmodal.guidance import SegmentGuidance
from crossmodal.injection import Coupler, Encoder, Lockstep, Step, couplers_for, freeze, paired_as_paper
from crossmodal.testing import (
    ADAPTER,
    ALIGNMENT,
    BOTTLENECK,
    GUIDANCE,
    MODULATION,
    LawBroken,
    Violation,
    check_adapter,
    check_attention,
    check_guidance,
    check_lockstep,
    check_pairing,
    laws,
)
from crossmodal.testing.encoder import ENCODER, LOCKSTEP, Whole


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def quick(suite):
    """A suite without its slowest law."""
    return replace(suite, laws=[law for law in suite.laws if law is not laws.compiled_agrees])


def report_of(check, *args, **options):
    """The report of something broken."""
    with pytest.raises(LawBroken) as caught:
        check(*args, **options)
    assert str(caught.value.report) in str(caught.value)
    return caught.value.report


def words_of(report, law):
    """What the report says of one law."""
    return next(outcome.words for outcome in report.outcomes if outcome.law.name == law)


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (broken.Doubled, {"range and shape"}),
        (broken.Whole, {"range and shape", "constancy"}),
        (broken.Ordered, {"token permutation"}),
        (broken.FirstToken, {"token permutation", "stream is heard"}),
        (broken.Leaky, {"frames do not leak", "each frame alone"}),
        (broken.Uneven, {"constancy", "band equivariance"}),
        (broken.HighPass, {"band equivariance"}),
        (broken.Idle, {"every parameter learns"}),
        (broken.Forgetful, {"checkpointed", "training is evaluation"}),
        (broken.Unchecked, {"bad input is named"}),
        (broken.Unsaved, {"state_dict round trip", "built on meta"}),
        (broken.Emptied, {"built on meta"}),
        (broken.Unpicklable, {"copies"}),
        (broken.Mute, {"repr shows the sizes", "stream is heard"}),
        (broken.PassesBy, {"replaced layers are heard"}),
    ],
)
def test_guidance(factory, expected):
    assert set(report_of(quick(GUIDANCE).check, factory).broken) == expected


def test_guidance_that_cannot_be_compiled_whole():
    assert report_of(check_guidance, broken.Peeking).broken == ("compiled",)


def test_guidance_that_answers_otherwise_when_asked_again():
    report = report_of(replace(GUIDANCE, laws=[laws.state_dict_round_trip]).check, broken.Whimsical)
    assert "the same trial broke it once, and once it did not" in str(report)


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (broken.Broadcasting, {"range and shape", "symmetric coupler"}),  # a coupler refuses it
        (broken.Loud, {"identity at initialisation"}),
        (broken.Overbright, {"range and shape"}),
        (broken.Eavesdropping, {"cue sufficiency"}),
    ],
)
def test_adapters(factory, expected):
    assert set(report_of(quick(ADAPTER).check, factory).broken) == expected


def test_adapters_that_know_left_from_right():
    assert "symmetric coupler" in report_of(quick(ADAPTER).check, broken.Alternating).broken


def test_a_sound_adapter_of_ones_own_keeps_all_laws():
    report = check_adapter(broken.Sound)
    assert not report.broken
    assert report.named("not applicable") == ("cue sufficiency",)


def test_couplers_that_read_what_they_wrote():
    adapter = ToyAdapter(toy_encoder().sites[0], toy_encoder().sites[0], gate=0.5)
    edges = {("one", "two"): adapter, ("two", "one"): adapter}
    streams = torch.randn(2, 8, 4), torch.randn(2, 8, 4)
    laws.symmetric(Coupler(edges), *streams)
    with pytest.raises(Violation, match="residual of one, the streams swapped, at"):
        laws.symmetric(broken.OneAfterAnother(edges), *streams)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (broken.FirstAsCue, {"fast equals direct"}),
        (broken.Scaled, {"fast equals direct"}),
        (broken.TooFew, {"range and shape"}),
    ],
)
def test_alignments(kind, expected):
    def factory(stream, guide):
        return kind(guide.tokens, guide.width, stream.tokens, stream.width)

    assert set(report_of(quick(ALIGNMENT).check, factory).broken) == expected


def test_modulations():
    def boosted(stream):
        return broken.Boosted({"temporal": (SegmentGuidance(stream.width, stream.width), 0.1)})

    assert set(report_of(quick(MODULATION).check, boosted).broken) == {"factor range", "weights of zero"}


def test_the_span_of_factors_multiplies():
    segments = SegmentGuidance(2, 2)
    one, other = Modulation({"first": (segments, 0.5)}, base=-1.0), Modulation({"other": (segments, -0.25)}, base=2.0)
    assert laws.modulations.span(Modulations(one, other)) == (-2.0, -0.875)


def test_bottlenecks():
    class Open(Gate):
        """A gate that starts at one."""

        def __init__(self, channels):
            super().__init__()
            torch.nn.init.ones_(self.scale)

    report = report_of(quick(BOTTLENECK).check, Open)
    assert "identity at initialisation" in report.broken


def test_bottlenecks_that_call_a_layer_only_where_it_is_hooked():
    report = report_of(quick(BOTTLENECK).check, broken.Shortcut)
    assert report.broken == ("every parameter learns", "replaced layers are heard")  # its own scale is idle
    assert "layer 'inner' replaced by a subclass: expected a call, found none" in str(report)


def quick_encoder(encoder, x, *, original=None):
    return quick(ENCODER).check(Whole(encoder, {"input": x}, original))


def quick_lockstep(model, inputs):
    return quick(LOCKSTEP).check(Whole(model, inputs))


def rebuilt(encoder, *, kind=Encoder, wrap=lambda section: section, sites=None):
    """A toy encoder of another kind, its first section wrapped."""
    first, *others = encoder.names
    sections = {first: wrap(encoder.section(first)), **{name: encoder.section(name) for name in others}}
    return kind(encoder.stem, sections, encoder.head, sites or encoder.sites)


def test_encoders():
    x, sound = torch.randn(3, 8, 3), toy_encoder()
    unchecked = {"bad input is named"}  # the toy's stem is a bare nn.Linear
    assert set(report_of(quick_encoder, sound, x).broken) == unchecked
    twice = rebuilt(sound, kind=broken_encoders.RunsTwice)
    assert set(report_of(quick_encoder, twice, x).broken) == unchecked | {
        "sections once and in order",
        "equals its sections",
    }
    drifting = rebuilt(sound, wrap=broken_encoders.Drifting)
    assert set(report_of(quick_encoder, drifting, x).broken) == unchecked | {"frozen means frozen"}
    lying = rebuilt(sound, sites=[replace(sound.sites[0], width=5), *sound.sites[1:]])
    assert set(report_of(quick_encoder, lying, x).broken) == unchecked | {"sites tell the truth"}
    other = report_of(quick_encoder, sound, x, original=toy_encoder())
    assert set(other.broken) == unchecked | {"equals the original"}
    assert "equals the original" not in report_of(quick_encoder, sound, x, original=sound).broken


def lockstep(kind, *, factory=ToyAdapter, wrap=lambda section: section):
    encoders = {name: freeze(rebuilt(toy_encoder((1,)), wrap=wrap)) for name in ("visual", "audio")}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_paper(sites)
    return kind(encoders, steps=steps, couplers=couplers_for(steps, sites, factory))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: lockstep(broken_encoders.RunsSectionsTwice),
            {"identity at initialisation", "sections once and in order"},
        ),
        (lambda: lockstep(broken_encoders.TakesAnything), {"bad input is named"}),
        (
            lambda: lockstep(Lockstep, factory=lambda stream, guide: ToyAdapter(stream, guide, gate=0.1)),
            {"identity at initialisation"},
        ),
        (lambda: lockstep(Lockstep, wrap=broken_encoders.Drifting), {"frozen means frozen"}),
        (lambda: lockstep(Lockstep, factory=Deaf), {"every parameter learns"}),
    ],
)
def test_lockstep(build, expected):
    inputs = {"visual": torch.randn(3, 8, 3), "audio": torch.randn(3, 8, 3)}
    assert set(report_of(quick_lockstep, build(), inputs).broken) == expected


class Deaf(ToyAdapter):
    """Listens to nobody: its projection is detached."""

    def forward(self, stream, guide):
        residual, maps = super().forward(stream, guide.detach())
        return type(super().forward(stream, guide))(residual.detach() * self.gate, maps)


def test_a_sound_lockstep_keeps_all_laws():
    inputs = {"visual": torch.randn(3, 8, 3), "audio": torch.randn(3, 8, 3)}
    assert not check_lockstep(lockstep(Lockstep), inputs).broken


def test_pairings():
    def skipping(sites):
        return paired_as_paper(sites)[1:]

    def all_at_once(sites):
        return (Step({name: tuple(site.name for site in of[1:]) for name, of in sites.items()}, coupler="all"),)

    def nameless(sites):
        return tuple(replace(step, coupler=step.coupler and "same") for step in paired_as_paper(sites))

    assert report_of(check_pairing, skipping).broken[0] == "sections once and in order"
    report = report_of(check_pairing, all_at_once)
    assert report.broken == ("coupled where sites agree",)
    assert "other starts at 16 tokens of width 6 and ends at 8 tokens of width 12" in str(report)
    assert report_of(check_pairing, nameless).broken == ("coupled where sites agree",)


def test_attention():
    def unscaled(query, key, value, *, bias=None, scale=None):
        logits = torch.einsum("bqhd,bkhd->bhqk", query, key) + (0 if bias is None else bias)
        return torch.einsum("bhqk,bkhd->bqhd", logits.softmax(-1), value)

    assert report_of(check_attention, unscaled).broken == ("backends agree",)


def test_the_shrunk_example_is_told_in_words():
    words = words_of(report_of(quick(GUIDANCE).check, broken.Doubled), "range and shape")
    sizes, found = words.splitlines()
    assert sizes == "at clips=2 tokens=4 channels=2 cue_channels=2 seed=0:"
    assert found.startswith("map: expected values in [0, 1], found 1.")
