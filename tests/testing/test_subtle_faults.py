"""Faults that show only at some size, mode, memory or setting, each found by the law of its kind."""

from dataclasses import replace

import pytest
import subtle_adapters as adapters
import subtle_guidance as guidance
import torch
import unusual_blocks as unusual
from faulty_adapters import Half
from torch import nn
from toys import toy_encoder

from crossmodal.guidance import SegmentGuidance
from crossmodal.injection import Encoder
from crossmodal.testing import ADAPTER, ALIGNMENT, GUIDANCE, MODULATION, check_guidance, laws
from crossmodal.testing.encoder import ENCODER, Whole
from crossmodal.testing.pairing import PAIRING

GUIDANCES = [
    (guidance.LastChannelOfCue, laws.cue_is_heard),
    (guidance.EightChannelsOfCue, laws.cue_is_heard),
    (guidance.LastChannelOfStream, laws.stream_is_heard),
    (guidance.EverySecondFrame, laws.cue_is_heard),
    (guidance.OneChannelInEvaluation, laws.cue_is_heard),
    (guidance.DetachesMostOfCue, laws.cue_is_heard),
    (guidance.DetachesStreamInTraining, laws.stream_is_heard),
    (guidance.DetachesKeyInTraining, laws.training_is_evaluation),
    (guidance.WrongForOneBias, laws.gradients_are_right),
    (guidance.BackwardSlightlyOff, laws.gradients_are_right),
    (guidance.LearnsBehindAdapters, laws.gradients_alone),
    (guidance.OnlyWhileItLearns, laws.gradients_alone),
    (guidance.BackwardOfLastCall, laws.results_stay),
    (guidance.ShiftsAView, laws.inputs_stay),
    (guidance.InPlaceWhereItLearns, laws.inputs_stay),
    (guidance.InPlaceBeyondEight, laws.inputs_stay),
    (guidance.OddTokens, laws.token_permutation),
    (guidance.ManyTokens, laws.token_permutation),
    (guidance.SquareGrids, laws.token_permutation),
    (guidance.PowersOfTwo, laws.each_frame_alone),
    (guidance.ContiguousOnly, laws.memory_layout),
    (guidance.ReadsMemory, laws.memory_layout),
    (guidance.OneDevice, laws.another_device),
    (guidance.LeaksBeyondSixteen, laws.each_frame_alone),
    (guidance.LeaksBeyondHundred, laws.each_frame_alone),
    (guidance.LeaksInLongTraining, laws.training_is_evaluation),
    (guidance.RarelyRandom, laws.same_call_twice),
    (guidance.DrawsFromNumpy, laws.same_call_twice),
    (guidance.SeedsInTraining, laws.same_call_twice),
    (guidance.SeedsWhenBuilt, laws.same_call_twice),
    (guidance.ConstantFrameIsNan, laws.zero_frame_stays_finite),
    (guidance.OneTokenIsNan, laws.range_and_shape),
    (guidance.LeavesHalf, laws.dtype_is_kept),
    (guidance.SlightlyOtherInTraining, laws.training_is_evaluation),
    (guidance.Backwards, laws.token_permutation),
    (guidance.OneForAll, laws.one_home),
    (guidance.CachedByVersion, laws.new_values_in_old_memory),
    (guidance.CachedByShape, laws.each_frame_alone),
    (guidance.Merged, laws.state_dict_round_trip),
    (guidance.KeepsItsGraph, laws.copies),
    (guidance.CountsInEvaluation, laws.weights_stay),
    (guidance.NormsItsWeights, laws.weights_stay),
    (guidance.SetsItsMode, laws.weights_stay),
    (guidance.Unfreezes, laws.weights_stay),
    (guidance.ReturnsItsMemory, laws.results_stay),
    (guidance.LendsItsMemory, laws.results_stay),
    (guidance.ForgetsItsPrefix, laws.state_dict_round_trip),
    (guidance.PickleForgets, laws.copies),
    (guidance.CopiesShare, laws.copies),
    (guidance.PassedByInTraining, laws.replaced_layers_are_heard),
    (guidance.OtherWithoutGradients, laws.settings_of_torch),
    (guidance.ReadsDefaultDtype, laws.settings_of_torch),
    (guidance.LeavesGradientsOn, laws.settings_of_torch),
    (guidance.SetsThreads, laws.settings_of_torch),
    (guidance.SetsDefaultDtype, laws.settings_of_torch),
    (guidance.NoInference, laws.settings_of_torch),
    (guidance.AsksForGradients, laws.inputs_stay),
    (guidance.LouderWhereAsked, laws.gradients_alone),
    (guidance.GrowsALayer, laws.weights_stay),
    (guidance.HooksItself, laws.weights_stay),
    (guidance.TrainsItself, laws.weights_stay),
    (guidance.SameMemory, laws.one_home),
    (guidance.CopiesFreeze, laws.copies),
]

ADAPTERS = [
    (adapters.LastChannelOfGuide, laws.guide_is_heard),
    (adapters.FourChannelsOfGuide, laws.guide_is_heard),
    (adapters.GuideInTrainingOnly, laws.guide_is_heard),
    (adapters.HalfWritten, laws.stream_is_heard),
    (adapters.ShiftsTheGuide, laws.inputs_stay),
    (adapters.DetachesOneChannelOfGuide, laws.guide_is_heard),
    (adapters.GuideLeaksBeyondTwenty, laws.each_frame_alone),
    (adapters.ContiguousGuide, laws.memory_layout),
    (adapters.ConstantGuideIsNan, laws.zero_frame_stays_finite),
    (adapters.MovesItsGate, laws.weights_stay),
    (adapters.DetachedGateInTraining, laws.guide_is_heard),
    (adapters.KeepsAScratchpad, laws.results_stay),
    (adapters.OtherDevice, laws.another_device),
]

SECTIONS = [
    (adapters.Wavering, laws.same_call_of_an_encoder_twice),
    (adapters.Running, laws.frozen_means_frozen),
    (adapters.LeakyBeyondNine, laws.each_frame_of_an_encoder_alone),
    (adapters.TableOnCpu, laws.another_device),
    (adapters.RoomForOne, laws.results_stay),
    (adapters.RandomlySeeded, laws.same_call_of_an_encoder_twice),
    (adapters.Silence, laws.zero_frame_of_an_encoder),
]

UNUSUAL_GUIDANCES = [
    unusual.Grouped,
    unusual.Einsum,
    unusual.Remembering,
    unusual.LazyOnce,
    unusual.InFloat64,
    unusual.InFloat32,
    unusual.RecomputesInside,
    unusual.Orthogonal,
    unusual.OwnBackward,
    unusual.Tied,
    unusual.Looked,
    unusual.MostOf,
    unusual.Share,
    unusual.Generated,
    unusual.Heads,
    unusual.Moving,
]

UNUSUAL_ADAPTERS = [
    unusual.Depthwise,
    unusual.Spectral,
    unusual.Layered,
    unusual.Attending,
    unusual.SkipsFrames,
    unusual.Cumulative,
    unusual.Normed,
    unusual.FirstOfGuide,
    unusual.Experts,
]


def aligned(stream, guide):
    """An alignment that ignores a channel."""
    return adapters.ShortSighted(guide.tokens, guide.width, stream.tokens, stream.width)


def modulated(stream):
    """A modulation whose cue is of no use."""
    return adapters.CueInVain({"temporal": (SegmentGuidance(stream.width, stream.width), 0.1)})


def encoder(kind):
    """A toy encoder of two sections of one kind."""
    sound = toy_encoder()
    width = sound.sites[0].width
    halves = {name: kind(nn.Linear(width, width)) for name in ("s.0", "s.1")}
    sites = [replace(sound.sites[0], name=name) for name in ("stem", *halves)]
    return Whole(Encoder(sound.stem, halves, nn.Identity(), sites), {"input": torch.randn(3, 8, 3)})


def cases(suite, rows):
    return [pytest.param(suite, *row, id=f"{row[0].__name__}: {row[1].name}") for row in rows]


@pytest.mark.parametrize(
    ("suite", "factory", "law"),
    [
        *cases(GUIDANCE, GUIDANCES),
        *cases(ADAPTER, ADAPTERS),
        *cases(ALIGNMENT, [(aligned, laws.guide_is_heard)]),
        *cases(MODULATION, [(modulated, laws.cue_is_heard)]),
        *cases(PAIRING, [(adapters.wavering_pairing, laws.pairing_twice)]),
        *cases(PAIRING, [(adapters.greedy_pairing, laws.pairing_twice)]),
    ],
)
def test_a_subtle_fault_is_found_by_its_law(suite, factory, law):
    outcome = suite.ask(law, factory)
    assert outcome.verdict == "broken", outcome


@pytest.mark.parametrize(("kind", "law"), SECTIONS)
def test_a_subtle_fault_of_a_section_is_found(kind, law):
    torch.manual_seed(0)
    outcome = ENCODER.ask(law, encoder(kind))
    assert outcome.verdict == "broken", outcome


def test_a_stem_that_views_what_it_is_given_is_found():
    class Stem(adapters.ViewsItsStream):
        """Has a section's fault."""

    torch.manual_seed(0)
    whole = encoder(Half)
    width = whole.model.sites[0].width
    stem = Encoder(Stem(nn.Linear(width, width)), {}, nn.Identity(), whole.model.sites[:1])
    found = Whole(stem, {"stream": torch.randn(3, 8, width)})
    outcome = ENCODER.ask(laws.memory_layout, found)
    assert outcome.verdict == "broken"
    assert "Use `reshape` in place of `view`" in outcome.words


@pytest.mark.parametrize("kind", [Half, unusual.NormedHalf])
def test_right_sections_keep_all_laws(kind):
    torch.manual_seed(0)
    held = [ENCODER.ask(law, encoder(kind)) for law in ENCODER.laws if law is not laws.compiled_agrees]
    assert [outcome.law.name for outcome in held if outcome.verdict == "broken"] == [
        "bad input is named"
    ]  # a toy's stem


@pytest.mark.slow
@pytest.mark.parametrize("factory", UNUSUAL_GUIDANCES)
def test_unusual_guidance_keeps_all_laws(factory):
    assert not check_guidance(factory).broken


@pytest.mark.slow
@pytest.mark.parametrize("factory", UNUSUAL_ADAPTERS)
def test_unusual_adapters_keep_all_laws(factory):
    assert not ADAPTER.check(factory).broken
