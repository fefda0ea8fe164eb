"""Audio-visual parsing: the published definition, told slowly, and its golden values."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.metrics import Parsing, parsing_counts, parsing_scores, summed
from crossmodal.metrics.parsing import event_confusion

seeds = st.integers(0, 999)

GOLDEN = [  # spec B.9: predicted audio and visual, true audio and visual; segment level, event level
    (
        ({0: [(0, 4), (6, 10)], 3: [(2, 5)]}, {0: [(0, 10)]}, {0: [(0, 5), (7, 10)]}, {0: [(0, 8)], 4: [(0, 2)]}),
        (0.4375, 0.444444, 0.714286, 0.532077, 0.294118),
        (0.5, 0.5, 0.5, 0.5, 0.333333),
    ),
    (({}, {}, {}, {}), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)),
    (
        ({2: [(0, 3), (4, 10)]}, {2: [(0, 10)]}, {2: [(0, 10)]}, {2: [(0, 4), (6, 10)]}),
        (0.947368, 0.888889, 0.823529, 0.886596, 0.918919),
        (0.666667, 0, 1, 0.555556, 0.333333),
    ),
    (
        ({7: [(0, 2), (3, 5)]}, {}, {7: [(0, 5)]}, {}),
        (0.888889, 1, 1, 0.962963, 0.888889),
        (0, 1, 1, 0.666667, 0),
    ),
    (
        ({}, {1: [(3, 6)]}, {1: [(3, 6)]}, {1: [(3, 6)]}),
        (0, 1, 0, 0.333333, 0.666667),
        (0, 1, 0, 0.333333, 0.666667),
    ),
]


def written(events, categories=25, segments=10):
    found = torch.zeros(1, segments, categories, dtype=torch.bool)
    for category, spans in events.items():
        for start, stop in spans:
            found[0, start:stop, category] = True
    return found


def drawn(seed, clips, segments=10, categories=3):
    """Predictions and truth with runs of several lengths, with empty classes and some empty clips."""
    random = torch.Generator().manual_seed(seed)
    shape = (4, clips, segments, categories)
    found = torch.rand(shape, generator=random) < torch.rand(4, clips, 1, categories, generator=random)
    found &= torch.rand(4, clips, 1, categories, generator=random) < 0.7
    found &= torch.rand(1, clips, 1, 1, generator=random) < 0.8
    return Parsing(found[0], found[1]), Parsing(found[2], found[3])


def part(parsing, clips):
    return Parsing(parsing.audio[clips], parsing.visual[clips])


def events_of(track):
    """The runs of a list of truth values, as (start, stop)."""
    spans, start = [], None
    for second, found in enumerate([*track, False]):
        if found and start is None:
            start = second
        if not found and start is not None:
            spans.append((start, second))
            start = None
    return spans


def confused_segments(predicted, true):
    pairs = list(zip(predicted, true, strict=True))
    return [pairs.count(pair) for pair in ((True, True), (True, False), (False, True))]


def confused_events(predicted, true):
    def meets(one, other):
        inner = set(range(*one)) & set(range(*other))
        return 2 * len(inner) >= len(set(range(*one)) | set(range(*other)))

    ours, theirs = events_of(predicted), events_of(true)
    right = sum(any(meets(one, other) for other in theirs) for one in ours)
    missed = sum(not any(meets(one, other) for one in ours) for other in theirs)
    return [right, len(ours) - right, missed]


def f_score(counts):
    """The mean over the classes that occur, of `(TP, FP, FN)` a class."""
    scores = [2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts if tp + fp + fn]
    return sum(scores) / len(scores) if scores else 1.0


def slow_scores(predicted, target, confused):
    """The five numbers of one level, clip by clip and class by class, as lists."""
    columns = [[], [], [], []]
    for clip in range(len(target.audio)):
        by_category = []
        for category in range(target.audio.shape[2]):
            pa, pv, ta, tv = (m[clip, :, category].tolist() for m in (*predicted, *target))
            both = [a and v for a, v in zip(pa, pv, strict=True)], [a and v for a, v in zip(ta, tv, strict=True)]
            audio, visual = confused(pa, ta), confused(pv, tv)
            by_category.append([audio, visual, confused(*both), [a + v for a, v in zip(audio, visual, strict=True)]])
        for column, counts in zip(columns, zip(*by_category, strict=True), strict=True):
            column.append(f_score(counts))
    audio, visual, both, either = (sum(column) / len(column) for column in columns)
    return [audio, visual, both, (audio + visual + both) / 3, either]


@pytest.mark.parametrize(("events", "segment_level", "event_level"), GOLDEN)
def test_golden_values(events, segment_level, event_level):
    heard, seen, truly_heard, truly_seen = (written(given) for given in events)
    scores = parsing_scores(parsing_counts(Parsing(heard, seen), Parsing(truly_heard, truly_seen)))
    assert [score.item() for score in scores.segment_level] == pytest.approx(segment_level, abs=1e-6)
    assert [score.item() for score in scores.event_level] == pytest.approx(event_level, abs=1e-6)


def test_golden_values_of_all_clips_at_once_are_the_means():
    tracks = [torch.cat(column) for column in zip(*([written(e) for e in case[0]] for case in GOLDEN), strict=True)]
    scores = parsing_scores(parsing_counts(Parsing(*tracks[:2]), Parsing(*tracks[2:])))
    for level, expected in ((scores.segment_level, 1), (scores.event_level, 2)):
        means = [sum(column) / len(GOLDEN) for column in zip(*(case[expected] for case in GOLDEN), strict=True)]
        assert [score.item() for score in level] == pytest.approx(means, abs=1e-6)


@given(clips=st.integers(1, 5), segments=st.integers(1, 12), categories=st.integers(1, 4), seed=seeds)
def test_scores_are_those_of_the_slow_definition(clips, segments, categories, seed):
    predicted, target = drawn(seed, clips, segments, categories)
    scores = parsing_scores(parsing_counts(predicted, target))
    for level, confused in zip(scores, (confused_segments, confused_events), strict=True):
        assert [score.item() for score in level] == pytest.approx(slow_scores(predicted, target, confused), abs=1e-12)


@given(clips=st.integers(1, 6), seed=seeds, cuts=st.sets(st.integers(1, 5)))
def test_any_split_into_batches_gives_the_same(clips, seed, cuts):
    predicted, target = drawn(seed, clips)
    ends = [0, *sorted(cut for cut in cuts if cut < clips), clips]
    batches = [slice(start, stop) for start, stop in pairwise(ends)]
    parts = [parsing_counts(part(predicted, batch), part(target, batch)) for batch in batches]
    whole, split = parsing_scores(parsing_counts(predicted, target)), parsing_scores(summed(parts))
    for level, of_parts in zip(whole, split, strict=True):
        torch.testing.assert_close(torch.stack(level), torch.stack(of_parts), rtol=0, atol=1e-12)


@given(clips=st.integers(1, 4), seed=seeds)
def test_what_is_right_is_one_and_modalities_can_be_swapped(clips, seed):
    predicted, target = drawn(seed, clips)
    assert {score.item() for level in parsing_scores(parsing_counts(target, target)) for score in level} == {1.0}
    there = parsing_scores(parsing_counts(predicted, target))
    back = parsing_scores(parsing_counts(Parsing(*reversed(predicted)), Parsing(*reversed(target))))
    for one, other in zip(there, back, strict=True):
        assert (one.audio, one.visual) == (other.visual, other.audio)
        assert one.event_at_av == other.event_at_av
        torch.testing.assert_close(one.type_at_av, other.type_at_av)


@given(clips=st.integers(1, 4), segments=st.integers(1, 12), seed=seeds)
def test_an_event_matches_one_other_at_most(clips, segments, seed):
    """Why no one-to-one matching is needed: what is right as a prediction is found as an event, and the reverse."""
    predicted, target = drawn(seed, clips, segments)
    there, back = event_confusion(predicted.audio, target.audio), event_confusion(target.audio, predicted.audio)
    assert torch.equal(there.true_positive, back.true_positive)
    assert torch.equal(there.false_positive, back.false_negative)


def test_silence_predicted_as_silence_is_right_and_anything_in_it_is_wrong():
    nothing, something = written({}), written({3: [(2, 4)]})
    counts = parsing_counts(Parsing(something, nothing), Parsing(nothing, nothing))
    assert counts.segment_level.tolist() == [0, 1, 1, 0]
    assert counts.event_level.tolist() == [0, 1, 1, 0]


def test_batches_without_clips_count_nothing_and_alone_are_named():
    predicted, target = drawn(0, 3)
    none = parsing_counts(part(predicted, slice(0)), part(target, slice(0)))
    some = parsing_counts(predicted, target)
    assert all(torch.equal(one, other) for one, other in zip(summed([none, some]), some, strict=True))
    with pytest.raises(ValueError, match="parsing_scores: no clip was counted"):
        parsing_scores(none)


def test_another_number_of_segments_is_named():
    predicted, target = drawn(0, 2)
    with pytest.raises(TypeCheckError, match=r"target\.audio"):
        parsing_counts(predicted, Parsing(target.audio[:, :9], target.visual[:, :9]))


def test_probabilities_are_no_decisions():
    _, target = drawn(0, 2)
    with pytest.raises(TypeCheckError, match=r"predicted\.audio[\s\S]*Bool"):
        parsing_counts(Parsing(target.audio.float(), target.visual), target)
