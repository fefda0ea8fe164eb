"""Answers by the kind of question."""

import json
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from crossmodal.metrics import QUESTION_KINDS, answer_counts, answer_scores, answer_table, question_kind, summed

TEST_SPLIT = dict(zip(QUESTION_KINDS, (1022, 601, 1199, 1228, 995, 1274, 927, 1115, 824), strict=True))  # spec B.4


def drawn(seed, questions):
    random = torch.Generator().manual_seed(seed)
    predicted, target = torch.randint(3, (2, questions), generator=random)
    return predicted, target, torch.randint(9, (questions,), generator=random)


@given(questions=st.integers(1, 40), seed=st.integers(0, 999))
def test_accuracies_are_those_of_the_slow_definition(questions, seed):
    predicted, target, kind = drawn(seed, questions)
    scores = answer_scores(answer_counts(predicted, target, kind))
    rows = list(zip(predicted.tolist(), target.tolist(), kind.tolist(), strict=True))

    def share(wanted):
        right = [answer == truth for answer, truth, of in rows if wanted(*QUESTION_KINDS[of])]
        return sum(right) / len(right) if right else math.nan

    ours = [*scores.kinds.tolist(), *(score.item() for score in scores[1:])]
    theirs = [share(lambda *kind, own=own: kind == own) for own in QUESTION_KINDS]
    theirs += [share(lambda modality, _, own=own: modality == own) for own in ("Audio", "Visual", "Audio-Visual")]
    assert ours == pytest.approx([*theirs, share(lambda *_: True)], nan_ok=True)


@given(questions=st.integers(1, 20), seed=st.integers(0, 999), cuts=st.sets(st.integers(1, 19)))
def test_any_split_into_batches_gives_the_same(questions, seed, cuts):
    columns = drawn(seed, questions)
    ends = [0, *sorted(cut for cut in cuts if cut < questions), questions]
    parts = [answer_counts(*(c[a:b] for c in columns)) for a, b in pairwise(ends)]
    assert all(torch.equal(one, other) for one, other in zip(summed(parts), answer_counts(*columns), strict=True))


def test_modalities_pool_their_questions_as_published():
    """On the kinds of the test split: 81.61 % of 995 existential questions weigh more than 67.48 % of 824 others."""
    published = (83.27, 64.56, 81.57, 82.57, 81.61, 72.84, 65.91, 64.22, 67.48)  # spec B.4, a public comparison
    totals = torch.tensor(list(TEST_SPLIT.values()))
    right = (totals * torch.tensor(published) / 100).round().long()
    kind = torch.arange(9).repeat_interleave(totals)
    predicted = torch.cat([torch.arange(total) >= hit for total, hit in zip(totals, right, strict=True)]).long()
    scores = answer_scores(answer_counts(predicted, torch.zeros_like(predicted), kind))
    assert len(kind) == 9185
    assert [round(100 * value, 2) for value in scores.kinds.tolist()] == pytest.approx(published, abs=0.02)
    pooled = [100 * score.item() for score in (scores.audio, scores.visual, scores.audio_visual, scores.average)]
    assert pooled == pytest.approx([76.34, 82.08, 70.56, 74.62], abs=0.02)


def test_kinds_are_read_as_the_data_set_writes_them():
    assert [question_kind(json.dumps(kind)) for kind in QUESTION_KINDS] == list(range(9))
    assert question_kind('["Audio-Visual", "Existential"]') == 4


@pytest.mark.parametrize("written", ['["Audio", "Location"]', "Audio", "3", "null", '{"Audio": 1}', '["Audio"]', ""])
def test_a_kind_that_does_not_exist_is_named(written):
    with pytest.raises(ValueError, match="question_kind") as caught:
        question_kind(written)
    assert repr(written) in str(caught.value)
    assert '["Audio-Visual", "Temporal"]' in str(caught.value)


def test_the_table_says_what_was_not_asked():
    kind = torch.tensor([0, 0, 1, 8])
    table = answer_table(answer_counts(torch.tensor([1, 1, 1, 1]), torch.tensor([1, 1, 0, 1]), kind))
    lines = table.to_string(float_format="%.2f", na_rep="–").splitlines()
    assert [line.split() for line in lines] == [
        ["Counting", "Comparative", "Location", "Existential", "Temporal", "all"],
        ["Audio", "100.00", "0.00", "–", "–", "–", "66.67"],
        ["Visual", "–", "–", "–", "–", "–", "–"],
        ["Audio-Visual", "–", "–", "–", "–", "100.00", "100.00"],
        ["Average", "–", "–", "–", "–", "–", "75.00"],
    ]


def test_kinds_out_of_range_are_named():
    none = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="kind holds -1 to 9, expected indices of QUESTION_KINDS, 0 to 8"):
        answer_counts(none, none, torch.tensor([-1, 9]))


def test_no_question_is_named():
    none = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="answer_scores: no question was counted"):
        answer_scores(answer_counts(none, none, none))


def test_another_number_of_questions_is_named():
    predicted, target, kind = drawn(0, 3)
    with pytest.raises(TypeCheckError, match="kind"):
        answer_counts(predicted, target, kind[:2])
