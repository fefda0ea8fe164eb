"""Laws of the blocks that the event baselines share."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.heads import (
    AdditiveAttention,
    CosineAttention,
    DualMatching,
    GatedByOther,
    GatedByOwn,
    MeanAttention,
    ProductInteraction,
    ResidualFusion,
    SentinelAttention,
)
from crossmodal.heads.additive import weighted_tokens
from crossmodal.heads.cross_encoding import Encoded
from crossmodal.heads.events import decode_relevant
from crossmodal.heads.objectives import clip_cross_entropy, clip_labels, clip_margin, mean_cross_entropy, segment_margin
from crossmodal.heads.recurrent import BidirectionalLSTM, RecurrentState
from crossmodal.training.schedules import MultiStep

ATTENTIONS = [partial(AdditiveAttention, width=5, units=4), partial(CosineAttention, width=5), MeanAttention]
sizes = st.integers(1, 4)


@pytest.mark.parametrize("build", ATTENTIONS)
@given(frames=sizes, tokens=sizes, seed=st.integers(0, 99))
def test_weights_sum_to_one_and_follow_their_tokens(build, frames, tokens, seed):
    torch.manual_seed(seed)
    attention, stream, cue = build(3, 2), torch.randn(frames, tokens, 3), torch.randn(frames, 2)
    weights = attention(stream, cue)
    torch.testing.assert_close(weights.sum(1), torch.ones(frames, 1))
    order = torch.randperm(tokens)
    torch.testing.assert_close(attention(stream[:, order], cue), weights[:, order])
    expected = sum(weights[:, token] * stream[:, token] for token in range(tokens))
    torch.testing.assert_close(weighted_tokens(stream, weights), expected)


@given(clips=sizes, segments=sizes, seed=st.integers(0, 99))
def test_what_is_symmetric_and_what_stays_within_its_clip(clips, segments, seed):
    torch.manual_seed(seed)
    one, other = torch.randn(2, clips, segments, 4)
    interaction = ProductInteraction(4, heads=2).eval()
    torch.testing.assert_close(interaction(one, other), interaction(other, one))
    assert ResidualFusion(4)(one, other).abs().max() < 1
    sentinel = SentinelAttention(4, units=3)
    found = sentinel(one, other)
    assert ((found.share > 0) & (found.share < 1)).all()
    torch.testing.assert_close(sentinel(one[:1], other[:1]).features, found.features[:1])
    matching = DualMatching(4)
    swapped = DualMatching(4)
    swapped.visual, swapped.audio = matching.audio, matching.visual
    torch.testing.assert_close(matching(one, other).relevance, swapped(other, one).relevance)
    encoded = Encoded(one, other, other, one)
    for gates in (GatedByOther(4), GatedByOwn(4)):
        gate = gates(encoded).gate
        assert ((gate > 0) & (gate < 1)).all()


def test_a_recurrence_starts_and_ends_as_torchs():
    torch.manual_seed(0)
    theirs = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    ours = BidirectionalLSTM(3, 4)
    ours.load_state_dict(theirs.state_dict())
    sequence, start = torch.randn(2, 5, 3), RecurrentState(*torch.randn(2, 2, 2, 4))
    outputs, final = theirs(sequence, tuple(start))
    for found in (ours.run(sequence, start), ours._unrolled(sequence, start)):
        torch.testing.assert_close(found.outputs, outputs)
        torch.testing.assert_close(tuple(found.final), final)


def test_clips_are_labelled_by_what_they_show():
    labels = torch.tensor([[3, 1, 3], [3, 3, 3], [0, 2, 3]])  # 3 is background
    assert clip_labels(labels, 4).tolist() == [[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]]


def test_the_published_margins_are_narrow():
    """Between 0.680 and 0.7145 for 29 labels, whatever the scores."""
    labels = torch.randint(0, 29, (2, 10))
    right = 1e3 * nn.functional.one_hot(labels, 29).float()
    wrong = right.roll(1, 2)
    assert segment_margin(right, labels).item() == pytest.approx(0.6801, abs=1e-4)
    assert segment_margin(wrong, labels).item() == pytest.approx(0.7145, abs=1e-4)
    constant = labels[:, :1].expand(2, 10)
    scores = 1e3 * nn.functional.one_hot(constant, 29).float()
    assert clip_margin(scores, constant).item() == pytest.approx(0.6801, abs=1e-4)
    assert clip_cross_entropy(scores, constant).item() == mean_cross_entropy(scores, constant).item() == 0


def test_background_is_decided_by_relevance_or_by_the_clip():
    relevance, event = torch.tensor([[0.5, 0.6], [0.9, 0.1]]), torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    assert decode_relevant(relevance, event, background=2).labels.tolist() == [[2, 0], [2, 2]]


def test_milestones_move_with_the_length_of_a_training():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, rates = MultiStep(optimizer, 20, epochs=10, milestones=(2, 5)), []
    for _ in range(20):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == [1.0] * 4 + [0.5] * 6 + [0.25] * 10
