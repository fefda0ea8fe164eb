"""M_J and M_F: the published definition, told slowly, its golden values, and what the released code makes of it."""

from itertools import pairwise

import golden_avs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.metrics import mask_counts, mask_scores, reference_mask_scores, summed
from crossmodal.metrics.masks import f_curves, overlaps

seeds = st.integers(0, 999)


def golden_maps():
    """Spec B.9: three 4×4 maps; the last shows no object."""
    probability, target = torch.zeros(3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.bool)
    target[0, :2] = True
    target[1, 1:3, 1:3] = True
    probability[0, :2, :2], probability[0, :2, 2:], probability[0, 2] = 0.9, 0.6, 0.4
    probability[1] = 0.2
    probability[1, 1:3, 1:] = 0.8
    probability[2, 0] = 0.7
    return probability, target


def drawn(seed, frames, height=3, width=4):
    """Maps of few values, many of them thresholds; some frames show no object, some predict nothing."""
    random = torch.Generator().manual_seed(seed)
    levels = torch.linspace(0, 1 - 1e-10, 255)[torch.randint(255, (5,), generator=random)]
    levels = torch.cat([levels, torch.tensor([0.0, 0.5, 1.0]), torch.rand(4, generator=random)])
    probability = levels[torch.randint(len(levels), (frames, height, width), generator=random)]
    probability *= torch.rand(frames, 1, 1, generator=random) < 0.8
    target = torch.rand(frames, height, width, generator=random) < torch.rand(frames, 1, 1, generator=random)
    return probability, target & (torch.rand(frames, 1, 1, generator=random) < 0.7)


def scores_of(probability, target):
    return mask_scores(mask_counts(probability, target))


def slow_overlap(probability, target):
    """Pixel by pixel."""
    predicted = {at for at, value in enumerate(probability.flatten().tolist()) if value > 0.5}
    true = {at for at, value in enumerate(target.flatten().tolist()) if value}
    pixels = set(range(target.numel()))
    if not true:
        return len((pixels - predicted) & (pixels - true)) / len(pixels)
    return len(predicted & true) / len(predicted | true)


def slow_curve(probability, target):
    """Threshold by threshold, by precision and recall."""
    curve = []
    for threshold in torch.linspace(0, 1 - 1e-10, 255):
        predicted = probability >= threshold
        right = (predicted & target).sum().item()
        precision, recall = right / (predicted.sum().item() + 1e-20), right / (target.sum().item() + 1e-20)
        below = 0.3 * precision + recall
        curve.append(1.3 * precision * recall / below if below else 0.0)
    return curve


def slow_f_measure(probability, target):
    """Of one batch: the largest entry of the mean curve of the frames that show an object; 0 where none does."""
    curves = [slow_curve(p, t) for p, t in zip(probability, target, strict=True) if t.any()]
    return max(sum(column) / len(curves) for column in zip(*curves, strict=True)) if curves else 0.0


def test_golden_overlaps():
    probability, target = golden_maps()
    assert overlaps(probability, target).tolist() == pytest.approx([1, 0.666667, 0.75], abs=1e-6)
    assert scores_of(probability, target).overlap.item() == pytest.approx(0.805556, abs=1e-6)


def test_golden_f_measures():
    probability, target = golden_maps()
    assert scores_of(probability, target).f_measure.item() == pytest.approx(0.861111, abs=1e-6)
    alone = [scores_of(probability[at : at + 1], target[at : at + 1]).f_measure.item() for at in (0, 1)]
    assert alone == pytest.approx([1, 0.722222], abs=1e-6)
    assert reference_mask_scores(probability, target).f_measure.item() == pytest.approx(0.861111, abs=1e-6)


def test_golden_dependence_of_the_released_f_measure_on_the_batch():
    probability = torch.tensor([[[0.4, 0.1, 0.1, 0.1]], [[0.9, 0.5, 0.5, 0.5]]])
    target = torch.tensor([[[True, False, False, False]]] * 2)
    released = [reference_mask_scores(probability, target, batch_size=size).f_measure.item() for size in (1, 2)]
    assert released == pytest.approx([1.0, 0.651163], abs=1e-6)
    parts = [mask_counts(probability[at : at + 1], target[at : at + 1]) for at in (0, 1)]
    assert mask_scores(summed(parts)).f_measure.item() == pytest.approx(0.651163, abs=1e-6)


@given(frames=st.integers(1, 5), height=st.integers(1, 4), width=st.integers(1, 4), seed=seeds)
def test_scores_are_those_of_the_slow_definition(frames, height, width, seed):
    probability, target = drawn(seed, frames, height, width)
    scores, shown = scores_of(probability, target), target.flatten(1).any(1)
    slow = [slow_overlap(p, t) for p, t in zip(probability, target, strict=True)]
    assert scores.overlap.item() == pytest.approx(sum(slow) / frames)
    curves = [slow_curve(p, t) for p, t in zip(probability[shown], target[shown], strict=True)]
    torch.testing.assert_close(f_curves(probability, target)[shown].tolist(), curves, rtol=1e-9, atol=1e-12)
    if shown.any():
        assert scores.f_measure.item() == pytest.approx(slow_f_measure(probability, target))
    else:
        assert scores.f_measure.isnan()


@given(frames=st.integers(1, 6), seed=seeds, cuts=st.sets(st.integers(1, 5)))
def test_any_split_into_batches_gives_the_same(frames, seed, cuts):
    probability, target = drawn(seed, frames)
    ends = [0, *sorted(cut for cut in cuts if cut < frames), frames]
    parts = [mask_counts(probability[a:b], target[a:b]) for a, b in pairwise(ends)]
    whole, split = scores_of(probability, target), mask_scores(summed(parts))
    torch.testing.assert_close(torch.stack(split), torch.stack(whole), rtol=0, atol=1e-12, equal_nan=True)


@given(frames=st.integers(1, 6), batch=st.integers(1, 6), seed=seeds)
def test_the_reference_is_the_mean_of_the_batches(frames, batch, seed):
    probability, target = drawn(seed, frames)
    overlap, f_measure = [], []
    for part in zip(probability.split(batch), target.split(batch), strict=True):
        slow = [slow_overlap(p, t) for p, t in zip(*part, strict=True)]
        overlap.append(sum(slow) / len(slow))
        f_measure.append(slow_f_measure(*part))
    released = reference_mask_scores(probability, target, batch_size=batch)
    assert released.overlap.item() == pytest.approx(sum(overlap) / len(overlap))
    assert released.f_measure.item() == pytest.approx(sum(f_measure) / len(f_measure))


@given(batches=st.integers(1, 3), batch=st.integers(1, 3), seed=seeds)
def test_with_equal_batches_that_all_show_objects_the_reference_flatters(batches, batch, seed):
    probability, target = drawn(seed, batches * batch)
    target[:, 0, 0] = True
    ours, released = scores_of(probability, target), reference_mask_scores(probability, target, batch_size=batch)
    assert released.f_measure >= ours.f_measure - 1e-12
    torch.testing.assert_close(released.overlap, ours.overlap)
    if batches == 1:
        torch.testing.assert_close(released.f_measure, ours.f_measure)


def test_frames_without_an_object_are_scored_by_their_background():
    nothing = torch.zeros(2, 2, 2, dtype=torch.bool)
    probability = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[0.9, 0.9], [0.9, 0.0]]])
    scores = scores_of(probability, nothing)
    assert scores.overlap.item() == pytest.approx((1 + 0.25) / 2)
    assert scores.f_measure.isnan()
    assert reference_mask_scores(probability, nothing).f_measure == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_and_layouts_give_what_their_values_say(dtype):
    probability, target = drawn(3, 4)
    rounded = probability.to(dtype)
    strided = rounded.mT.contiguous().mT[::2]
    expected = scores_of(rounded.float() if dtype != torch.float64 else rounded, target)
    torch.testing.assert_close(torch.stack(scores_of(rounded, target)), torch.stack(expected))
    one, other = scores_of(strided, target[::2]), scores_of(strided.clone(), target[::2])
    torch.testing.assert_close(torch.stack(one), torch.stack(other))


def test_batches_without_frames_count_nothing_and_alone_are_named():
    probability, target = drawn(1, 3)
    none, some = mask_counts(probability[:0], target[:0]), mask_counts(probability, target)
    assert all(torch.equal(one, other) for one, other in zip(summed([none, some]), some, strict=True))
    with pytest.raises(ValueError, match="mask_scores: no frame was counted"):
        mask_scores(none)
    with pytest.raises(ValueError, match="reference_mask_scores: there is no frame"):
        reference_mask_scores(probability[:0], target[:0])


@pytest.mark.parametrize("wrong", [-1.5, 1.01, float("nan")])
def test_logits_are_no_probabilities(wrong):
    probability, target = drawn(2, 2)
    probability[1, 1, 1] = wrong
    with pytest.raises(ValueError, match=r"mask_counts: probability lies in .* expected \[0, 1\]: pass logits\.sigm"):
        mask_counts(probability, target)


def test_a_batch_of_no_frame_is_named():
    with pytest.raises(ValueError, match="reference_mask_scores: batch_size=0 must be at least 1"):
        reference_mask_scores(*drawn(0, 2), batch_size=0)


def test_masks_of_another_size_are_named():
    probability, target = drawn(0, 2)
    with pytest.raises(TypeCheckError, match="target"):
        mask_counts(probability, target[:, :2])


@pytest.mark.parametrize("case", ["mixed", "tail", "all_black", "zero_logits", "good"])
def test_golden_scores_of_the_released_code(case):
    """One call of the released functions; an all-black batch counts as 0 in M_F there, and as nothing here."""
    given = golden_avs.numbers("metrics", "in")
    probability, target = given[f"logits_{case}"].sigmoid(), given[f"mask_{case}"].bool()
    released = reference_mask_scores(probability, target, batch_size=len(target))
    assert released.overlap.item() == pytest.approx(golden_avs.numbers("metrics", "m_j")[case].item(), abs=1e-6)
    assert released.f_measure.item() == pytest.approx(golden_avs.numbers("metrics", "m_f")[case].item(), abs=1e-6)
    ours = scores_of(probability, target)
    assert ours.overlap == released.overlap
    assert ours.f_measure.isnan() if case == "all_black" else ours.f_measure == released.f_measure
    if case == "mixed":
        frames = golden_avs.numbers("metrics", "m_j_frame")
        expected = [frames[f"mixed.{at}"].item() for at in range(20)]
        assert overlaps(probability, target).tolist() == pytest.approx(expected, abs=1e-6)


def test_golden_scores_depend_on_batches_in_the_released_code_alone():
    given = golden_avs.numbers("metrics", "in")
    parts = [(given[f"logits_{case}"].sigmoid(), given[f"mask_{case}"].bool()) for case in ("mixed", "tail")]
    whole = [torch.cat(column) for column in zip(*parts, strict=True)]
    one = golden_avs.numbers("metrics", "m_f")["one_batch_mixed_tail"].item()
    assert reference_mask_scores(*whole, batch_size=25).f_measure.item() == pytest.approx(one, abs=1e-6)
    assert mask_scores(summed(mask_counts(*part) for part in parts)).f_measure.item() == pytest.approx(one, abs=1e-6)
    mean = golden_avs.numbers("metrics", "m_f")["mean_of_batches_mixed_tail"].item()
    apart = [reference_mask_scores(*part, batch_size=20).f_measure.item() for part in parts]
    assert sum(apart) / 2 == pytest.approx(mean, abs=1e-6)
    assert abs(mean - one) > 1e-4
