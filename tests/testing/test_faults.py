"""Faults that users have reported, each found by the law that says so; and unusual blocks that no law refuses."""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import faulty_adapters as adapters
import faulty_guidance as guidance
import pytest
import torch
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.adapters import Bottleneck, GuidedAdapter, ResidualModulated, guided_adapter
from crossmodal.injection import Encoder
from crossmodal.site import Site
from crossmodal.testing import ADAPTER, GUIDANCE, check_guidance, laws
from crossmodal.testing.encoder import ENCODER, Whole

GUIDANCES = [
    (guidance.BatchStatistics, laws.each_frame_alone),
    (guidance.AboveOne, laws.range_and_shape),
    (guidance.AboveOneBetween, laws.range_and_shape),
    (guidance.OverflowingMap, laws.range_and_shape),
    (guidance.OrderedAbove24, laws.token_permutation),
    (guidance.IgnoresCue, laws.cue_is_heard),
    (guidance.IgnoresStream, laws.stream_is_heard),
    (guidance.LeaksFromFourthClip, laws.each_frame_alone),
    (guidance.LeaksBeyondEight, laws.each_frame_alone),
    (guidance.RollsMultiplesOfFive, laws.each_frame_alone),
    (guidance.OneBatchSize, laws.each_frame_alone),
    (guidance.DriftsFromBfloat16, laws.dtype_is_kept),
    (guidance.DriftsToFloat32, laws.dtype_is_kept),
    (guidance.SometimesRandom, laws.same_call_twice),
    (guidance.HardlyRandom, laws.same_call_twice),
    (guidance.Reseeds, laws.same_call_twice),
    (guidance.TimeOfDay, laws.same_call_twice),
    (guidance.CachedByAddress, laws.new_values_in_old_memory),
    (guidance.CuePassesNoGradient, laws.cue_is_heard),
    (guidance.StreamPassesNoGradient, laws.stream_is_heard),
    (guidance.NoGradientInEvaluation, laws.cue_is_heard),
    (guidance.WrongBackward, laws.gradients_are_right),
    (guidance.TiedWeights, laws.one_home),
    (guidance.ScalesStream, laws.inputs_stay),
    (guidance.ClampsCue, laws.inputs_stay),
    (guidance.SilentFrameIsNan, laws.zero_frame_stays_finite),
    (guidance.ForgottenScale, laws.training_is_evaluation),
    (guidance.TrainingState, laws.training_is_evaluation),
    (guidance.Tenuous, laws.every_parameter_learns),
]

ADAPTERS = [
    (adapters.Normalised, laws.every_map_is_heard),
    (adapters.Unheard, laws.every_map_is_heard),
    (adapters.SlightlyBright, laws.residual_and_maps),
    (adapters.LoudWhereLoud, laws.silent_at_initialisation),
    (adapters.IgnoresGuide, laws.guide_is_heard),
    (adapters.IgnoresStream, laws.stream_is_heard),
    (adapters.FirstTokenEverywhere, laws.stream_is_heard),
    (adapters.LeaksInTraining, laws.training_is_evaluation),
    (adapters.DetachesGuide, laws.guide_is_heard),
    (adapters.ClampsStream, laws.inputs_stay),
    (adapters.TwoHomes, laws.one_home),
]

UNUSUAL = [
    guidance.Right,
    adapters.StraightThrough,
    adapters.Constant,
    adapters.Complex,
    adapters.Parametrized,
    partial(adapters.Parametrized, norm=nn.utils.parametrizations.spectral_norm),
    adapters.Batchwise,
    adapters.Recurrent,
    adapters.Dropping,
]


@pytest.mark.parametrize(
    ("suite", "factory", "law"),
    [pytest.param(GUIDANCE, *row, id=f"{row[0].__name__}: {row[1].name}") for row in GUIDANCES]
    + [pytest.param(ADAPTER, *row, id=f"{row[0].__name__}: {row[1].name}") for row in ADAPTERS],
)
def test_a_fault_is_found_by_its_law(suite, factory, law):
    outcome = suite.ask(law, factory)
    assert outcome.verdict == "broken", outcome


@pytest.mark.slow
@pytest.mark.parametrize("factory", UNUSUAL)
def test_unusual_guidance_keeps_all_laws(factory):
    assert not check_guidance(factory).broken


@pytest.mark.slow
@pytest.mark.parametrize("factory", [adapters.Modulated, adapters.Expanded])
def test_unusual_adapters_keep_all_laws(factory):
    assert not ADAPTER.check(factory).broken


@pytest.mark.parametrize(
    ("factory", "law", "reason"),
    [
        (adapters.Parametrized, laws.copies, "torch pickles no parametrized layer ('query')"),
        (UNUSUAL[5], laws.checkpointed_agrees, "torch's spectral_norm moves with every call"),
        (adapters.Recurrent, laws.compiled_agrees, "torch traces no nn.GRU into one graph"),
        (adapters.Constant, laws.cue_is_heard, "it has no weights, and returns a constant"),
    ],
)
def test_what_torch_cannot_do_is_not_held_against_a_block(factory, law, reason):
    outcome = GUIDANCE.ask(law, factory)
    assert (outcome.verdict, outcome.words.startswith(reason)) == ("not applicable", True)


@pytest.mark.parametrize(
    ("factory", "law"),
    [
        (adapters.StraightThrough, laws.gradients_are_right),
        (adapters.Complex, laws.gradients_are_right),
        (adapters.Complex, laws.dtype_is_kept),
        (adapters.Batchwise, laws.training_is_evaluation),
    ],
)
def test_a_right_block_is_not_found_wrong(factory, law):
    assert GUIDANCE.ask(law, factory).verdict == "held"


def test_a_lazy_layer_is_one_sentence():
    with pytest.raises(ValueError, match=r"^Lazy: layer 'query' is a LazyLinear, which has no sizes before its first"):
        check_guidance(adapters.Lazy)


def test_every_map_is_measured():
    """In the published order the entry norm divides maps out: the report says which, how far, and why."""
    small = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))
    ask = partial(replace(ADAPTER, laws=[laws.every_map_is_heard]).ask, laws.every_map_is_heard)
    held, silent = ask(partial(small, order=ResidualModulated)), ask(partial(small, order=GuidedAdapter))
    assert held.verdict == "held"
    assert str(held).splitlines()[1].startswith("      map 'channel' moves the residual by 0.")
    assert silent.verdict == "exempt"
    assert silent.words.startswith("the bottleneck's entry norm")
    assert "not heard: spatial" in silent.notes
    plain = partial(
        small, order=GuidedAdapter, bottleneck=partial(Bottleneck, reduction=2, groups=1, before=nn.Identity)
    )
    assert ask(plain).notes.splitlines()[0].startswith("map 'channel' moves")


def test_a_map_that_nothing_of_torch_returned_is_not_looked_into():
    class Kept(ToyAdapter):
        """Returns a map from a drawer."""

        laws_exempt: ClassVar = {}

        def forward(self, stream, guide):
            return super().forward(stream, guide)._replace(maps={"kept": self.kept})

        kept = torch.rand(4, 1, 1)

    outcome = ADAPTER.ask(laws.every_map_is_heard, Kept)
    assert outcome.verdict == "not applicable"
    assert "maps['kept']: no call of torch returned it" in outcome.words


def sections(kind, *inner):
    """A toy encoder whose two sections are of one kind."""
    sound = toy_encoder()
    halves = {name: kind(layer) for name, layer in zip(("s.0", "s.1"), inner, strict=True)}
    sites = [replace(sound.sites[0], name=name) for name in ("stem", *halves)]
    return Whole(Encoder(sound.stem, halves, nn.Identity(), sites), {"input": torch.randn(3, 8, 3)})


def test_encoders():
    torch.manual_seed(0)
    width = toy_encoder().sites[0].width
    layers = nn.Linear(width, width), nn.Linear(width, width)
    shared = sections(adapters.Half, layers[0], layers[0])
    assert ENCODER.ask(laws.one_home, shared).verdict == "broken"
    in_place = sections(adapters.HalfInPlace, *layers)
    assert ENCODER.ask(laws.sections_leave_their_stream, in_place).verdict == "broken"
    sound = sections(adapters.Half, *layers)
    for law in (laws.one_home, laws.sections_leave_their_stream, laws.each_frame_of_an_encoder_alone):
        assert ENCODER.ask(law, sound).verdict == "held"


def test_a_picture_lies_where_its_sites_say():
    class Stem(nn.Module):
        """Cuts a picture into patches, row by row."""

        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 4, 4, 4)

        def forward(self, images):
            return self.patches(images).flatten(2).mT

    rows, columns = [tuple(index // 3 for index in range(9)), tuple(index % 3 for index in range(9))]
    for axes, verdict in (((rows, columns), "held"), ((columns, rows), "broken"), ((rows, columns[::-1]), "broken")):
        site = Site("stem", 4, dict(zip(("row", "column"), axes, strict=True)))
        whole = Whole(Encoder(Stem(), {}, nn.Identity(), [site]), {"images": torch.randn(2, 3, 12, 12)})
        assert ENCODER.ask(laws.sites_tell_the_truth, whole).verdict == verdict


def test_widths_can_be_bounded_and_the_failing_draw_is_named():
    def heads(channels, cue_channels):
        nn.MultiheadAttention(channels, 6)  # refuses by an assertion
        return guidance.Right(channels, cue_channels)

    with pytest.raises(
        RuntimeError, match=r"heads: raised AssertionError at clips=2 tokens=4 channels=3 .* multiple_of="
    ):
        check_guidance(heads)
    ask = partial(GUIDANCE.bounded(multiple_of=6).ask, laws.range_and_shape)
    assert ask(heads).verdict == "held"
    only = GUIDANCE.bounded(widths=[6, 12])
    assert only.ask(laws.repr_shows_the_sizes, heads).verdict in ("held", "not applicable")
    with pytest.raises(ValueError, match="none of widths=\\(4,\\) is a multiple of multiple_of=3"):
        GUIDANCE.bounded(widths=[4], multiple_of=3)


def test_a_picture_may_have_any_sides():
    class Stem(nn.Module):
        """Cuts a picture into patches, and checks its colours only."""

        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 4, 4, 4)

        def forward(self, images):
            weight = self.patches.weight
            if images.dim() != 4 or images.shape[1] != 3:
                raise ValueError(f"Stem: images of shape {tuple(images.shape)} must be (frame, 3, row, column)")
            if (images.dtype, images.device) != (weight.dtype, weight.device):
                raise TypeError(
                    f"Stem: images are {images.dtype} on {images.device}, not as {weight.dtype} on {weight.device}"
                )
            return self.patches(images).flatten(2).mT

    site = Site("stem", 4, {"row": (0, 0, 0, 1, 1, 1, 2, 2, 2), "column": (0, 1, 2) * 3})
    whole = Whole(Encoder(Stem(), {}, nn.Identity(), [site]), {"images": torch.randn(2, 3, 12, 12)})
    assert ENCODER.ask(laws.bad_input_is_named, whole).verdict == "held"
