"""Segment accuracy."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.metrics import majority_share, reference_segment_accuracy, segment_accuracy, segment_counts

sizes = st.integers(1, 7)
seeds = st.integers(0, 99)


def labels(seed, clips, segments=10, classes=3):
    return torch.randint(classes + 1, (clips, segments), generator=torch.Generator().manual_seed(seed))


@given(clips=sizes, segments=sizes, seed=seeds)
def test_it_is_the_share_of_right_segments(clips, segments, seed):
    predicted, target = labels(seed, clips, segments), labels(seed + 1, clips, segments)
    right = [p == t for p, t in zip(predicted.flatten().tolist(), target.flatten().tolist(), strict=True)]
    assert segment_accuracy(predicted, target).item() == pytest.approx(sum(right) / len(right))


@given(clips=sizes, batch=sizes, seed=seeds)
def test_counts_of_batches_add_up_to_those_of_the_whole(clips, batch, seed):
    predicted, target = labels(seed, clips), labels(seed + 1, clips)
    parts = [segment_counts(*part) for part in zip(predicted.split(batch), target.split(batch), strict=True)]
    right, total = (torch.stack(column).sum() for column in zip(*parts, strict=True))
    assert (right, total) == segment_counts(predicted, target)
    assert right / total == segment_accuracy(predicted, target)


@given(clips=sizes, batch=sizes, seed=seeds)
def test_the_reference_is_the_mean_of_the_batches(clips, batch, seed):
    predicted, target = labels(seed, clips), labels(seed + 1, clips)
    parts = [segment_accuracy(*part) for part in zip(predicted.split(batch), target.split(batch), strict=True)]
    torch.testing.assert_close(
        reference_segment_accuracy(predicted, target, batch_size=batch), torch.stack(parts).mean()
    )


@given(clips=sizes, seed=seeds)
def test_the_reference_agrees_at_the_released_batch_size_of_one(clips, seed):
    predicted, target = labels(seed, clips), labels(seed + 1, clips)
    torch.testing.assert_close(
        reference_segment_accuracy(predicted, target, batch_size=1), segment_accuracy(predicted, target)
    )


def test_the_reference_depends_on_the_batch_size():
    target = torch.zeros(3, 10, dtype=torch.int64)
    predicted = target.clone()
    predicted[2] = 1  # the last clip is wrong: a batch of its own when two make a batch
    shares = [reference_segment_accuracy(predicted, target, batch_size=size).item() for size in (1, 2, 3)]
    assert shares == pytest.approx([2 / 3, 1 / 2, 2 / 3])


def ave_test_labels():
    """402 clips with 3305 foreground segments of 4020, the shares of AVE's test split (spec B.1: 82.21 %)."""
    event = torch.arange(4020) < 3305
    return torch.where(event, torch.arange(4020) // 10 % 28, 28).view(402, 10)


def test_constant_predictions_on_ave_give_the_known_shares():
    target = ave_test_labels()
    background = torch.full_like(target, 28)
    clip_class = target[:, :1].where(target[:, :1] != 28, 0).expand_as(target)
    assert round(100 * segment_accuracy(background, target).item(), 2) == 17.79  # spec B.9
    assert round(100 * segment_accuracy(clip_class, target).item(), 2) == 82.21  # spec B.9


@given(clips=sizes, seed=seeds)
def test_the_majority_is_the_best_constant_prediction(clips, seed):
    target = labels(seed, clips)
    constants = [segment_accuracy(torch.full_like(target, label), target) for label in range(4)]
    assert majority_share(target) == max(constants)


def test_no_segment_is_named():
    none = torch.zeros(0, 10, dtype=torch.int64)
    for function, wrong in {
        "segment_accuracy": lambda: segment_accuracy(none, none),
        "reference_segment_accuracy": lambda: reference_segment_accuracy(none, none, batch_size=1),
        "majority_share": lambda: majority_share(none),
    }.items():
        with pytest.raises(ValueError, match=rf"{function}: the labels have the shape \(0, 10\), without a segment"):
            wrong()


def test_a_batch_of_no_clip_is_named():
    with pytest.raises(ValueError, match=r"reference_segment_accuracy: batch_size=0 must be at least 1"):
        reference_segment_accuracy(labels(0, 2), labels(0, 2), batch_size=0)


def test_another_number_of_clips_is_named():
    with pytest.raises(TypeCheckError, match="target"):
        segment_accuracy(labels(0, 2), labels(0, 3))


def test_scores_are_no_labels():
    with pytest.raises(TypeCheckError, match=r"predicted[\s\S]*Int"):
        segment_accuracy(torch.rand(2, 10), labels(0, 2))
