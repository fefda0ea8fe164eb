"""The event head, its loss and its decoding, against loops over their definitions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.heads import (
    EventHead,
    Events,
    MapPooling,
    MeanPooling,
    TemporalAttention,
    decode_events,
    event_loss,
    pool_tokens,
    pooling_weights,
)
from crossmodal.heads.temporal import Attended


@st.composite
def scored(draw):
    """Events of a few clips, and labels with one event a clip, several, or none."""
    torch.manual_seed(draw(st.integers(0, 99)))
    clips, segments, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(2, 5))
    events = Events(
        torch.randn(clips, segments),
        torch.randn(clips, classes),
        torch.randn(clips, classes),
        torch.rand(clips, segments),
    )
    return events, torch.randint(0, classes + 1, (clips, segments))


@given(scored())
def test_loss_is_the_four_terms(case):
    events, labels = case
    clips, segments = labels.shape
    classes = events.event.shape[1]
    relevance = gate = 0.0
    classified = []
    for clip in range(clips):
        shown = [int(label) for label in labels[clip] if label < classes]
        for segment in range(segments):
            target = float(labels[clip, segment] < classes)
            p, g = events.relevance[clip, segment].sigmoid().item(), events.gate[clip, segment].item()
            relevance -= target * math.log(p) + (1 - target) * math.log(1 - p)
            gate -= target * math.log(g) + (1 - target) * math.log(1 - g)
        if shown:
            classified.append([-scores[clip].log_softmax(0)[max(shown)].item() for scores in events[1:3]])
    expected = (relevance + gate) / (clips * segments) + sum(map(sum, classified)) / max(len(classified), 1)
    assert event_loss(events, labels).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_under_autocast_the_loss_is_computed_in_full_precision():
    events = Events(*(torch.rand(shape, dtype=torch.bfloat16) for shape in ((2, 3), (2, 4), (2, 4), (2, 3))))
    labels, seen = torch.tensor([[0, 4, 4], [2, 2, 4]]), []

    def gate_loss(gate, shown):
        seen.append((gate.dtype, shown.dtype, torch.is_autocast_enabled("cpu")))
        return F.binary_cross_entropy(gate, shown)

    with torch.autocast("cpu", torch.bfloat16):
        loss = event_loss(events, labels, gate_loss=gate_loss)
    assert seen == [(torch.float32, torch.float32, False)]
    assert torch.equal(loss, event_loss(Events(*(scores.float() for scores in events)), labels))


@given(scored())
def test_the_released_gate_loss_treats_the_gate_as_a_logit(case):
    events, labels = case
    shown = (labels != events.event.shape[1]).float()
    difference = event_loss(events, labels, gate_loss=F.binary_cross_entropy_with_logits) - event_loss(events, labels)
    expected = F.binary_cross_entropy_with_logits(events.gate, shown) - F.binary_cross_entropy(events.gate, shown)
    torch.testing.assert_close(difference, expected, rtol=1e-4, atol=1e-5)


@given(scored())
def test_decoding_names_the_event_where_it_is_relevant(case):
    events, _ = case
    decoded = decode_events(events)
    for clip in range(len(events.event)):
        best = int(events.event[clip].argmax())
        for segment in range(events.relevance.shape[1]):
            relevance = events.relevance[clip, segment].sigmoid()
            shown = relevance > 0.5
            assert decoded.labels[clip, segment] == (best if shown else events.event.shape[1])
            sure = relevance * events.event[clip].softmax(0)[best] if shown else 1 - relevance
            assert decoded.confidence[clip, segment].item() == pytest.approx(sure.item(), rel=1e-5)


def test_activation_is_the_mean_of_the_top_segments():
    torch.manual_seed(0)
    head = EventHead(8, 3, top=2)
    attended = Attended(torch.randn(2, 5, 8), torch.randn(2, 5, 8), torch.rand(2, 5, 1))
    expected = torch.zeros(2, 3)
    for layer, sequence in ((head.visual_activation, attended.visual), (head.audio_activation, attended.audio)):
        for clip in range(2):
            for event in range(3):
                best = sorted(layer(sequence[clip])[:, event].tolist())[-2:]
                expected[clip, event] += sum(best) / 2 / 2
    torch.testing.assert_close(head(attended).activation, expected)


def test_a_clip_shorter_than_the_top_segments_uses_all_it_has():
    head = EventHead(8, 3)
    assert torch.isfinite(head(Attended(torch.randn(1, 2, 8), torch.randn(1, 2, 8), torch.rand(1, 2, 1))).event).all()


def test_widths_are_refused_in_words():
    with pytest.raises(ValueError, match=r"EventHead: attended\.visual has width 8 .* built for width 16"):
        EventHead(16)(Attended(torch.randn(1, 2, 8), torch.randn(1, 2, 8), torch.rand(1, 2, 1)))
    with pytest.raises(ValueError, match="TemporalAttention: width=6 must be a multiple of its 4 attention heads"):
        TemporalAttention(8, 8, width=6)
    with pytest.raises(ValueError, match=r"TemporalAttention: audio has width 5 .* built for width 4"):
        TemporalAttention(8, 4, width=8)(torch.zeros(1, 2, 8), torch.zeros(1, 2, 5))


def test_clips_do_not_leak_into_each_other():
    torch.manual_seed(0)
    temporal = TemporalAttention(6, 5, width=8).eval()
    visual, audio = torch.randn(3, 4, 6), torch.randn(3, 4, 5)
    before = temporal(visual, audio)
    audio[1] += 1
    for old, new in zip(before, temporal(visual, audio), strict=True):
        assert (old != new).flatten(1).any(1).tolist() == [False, True, False]


@given(st.integers(0, 99), st.integers(1, 7))
def test_pooling_weights_are_the_softmax_of_the_tanh_of_the_scores(seed, tokens):
    torch.manual_seed(seed)
    scores, stream = 4 * torch.randn(2, tokens, 1, dtype=torch.float64), torch.randn(2, tokens, 3, dtype=torch.float64)
    expected = scores.tanh().softmax(1)
    torch.testing.assert_close(pooling_weights(scores.sigmoid()), expected)
    torch.testing.assert_close(pool_tokens(stream, scores.sigmoid()), (expected * stream).sum(1))


def test_pooling_weights_stay_finite_where_the_sigmoid_saturates():
    scores = torch.tensor([-200.0, -20.0, 0.0, 20.0, 200.0])[None, :, None].requires_grad_()
    weights = pooling_weights(scores.sigmoid())
    weights[0, 0, 0].backward()
    torch.testing.assert_close(weights, scores.tanh().softmax(1), rtol=1e-5, atol=1e-6)
    assert torch.isfinite(scores.grad).all()


def test_without_a_map_pooling_is_the_mean():
    stream = torch.randn(2, 5, 3)
    torch.testing.assert_close(pool_tokens(stream), stream.mean(1))
    assert torch.equal(MapPooling(3)(stream, {}), stream.mean(1))
    assert torch.equal(MeanPooling(3)(stream, {"spatial": torch.rand(2, 5, 1)}), stream.mean(1))


def test_a_pooling_takes_the_map_that_it_names_or_the_last():
    stream, maps = torch.randn(2, 5, 3), {"spatial": torch.rand(2, 5, 1), "frequency": torch.rand(2, 5, 1)}
    assert torch.equal(MapPooling(3)(stream, maps), pool_tokens(stream, maps["frequency"]))
    assert torch.equal(MapPooling(3, map="spatial")(stream, maps), pool_tokens(stream, maps["spatial"]))
    with pytest.raises(
        ValueError, match=r"MapPooling: map='mine', but the adapters' maps over tokens are spatial, fre"
    ):
        MapPooling(3, map="mine")(stream, maps)
