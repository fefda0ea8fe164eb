"""What a model that looks at nothing would get: never less than the best constant prediction, and never more."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.metrics.answers import QUESTION_KINDS
from crossmodal.tasks import avqa, few_shot
from crossmodal.tasks.avqa import NO_ANSWER
from crossmodal.tasks.matched_system import Matched
from crossmodal.tasks.task import Row


@given(st.data())
def test_of_names_it_is_the_score_of_the_best_class(data):
    """Also where clips have several labels, and where a truth, as background may be, is none of the names."""
    task, classes = few_shot.TASK, tuple("abc"[: data.draw(st.integers(1, 3))])
    targets = len(classes) + data.draw(st.integers(0, 1))
    marks = data.draw(st.lists(st.integers(1, 2**targets - 1), min_size=1, max_size=6))
    target = torch.tensor([[float(mark >> at & 1) for at in range(targets)] for mark in marks])[:, None]
    batch = type("Batch", (), {"target": target})

    def predicted(label):
        scores = torch.zeros(len(marks), 1, len(classes))
        scores[..., label] = 1
        return Matched(scores)

    accuracies = []
    for label in range(len(classes)):
        counted = task.scores()
        counted.update(predicted(label), batch)
        accuracies.append(counted.compute()["accuracy"])
    found = task.chance([*task.rows(predicted(0), batch, classes)])
    assert abs(found["accuracy"] - max(accuracies)) < 1e-6


@given(st.lists(st.sampled_from(["two", "three", NO_ANSWER]), min_size=1, max_size=9))
def test_of_answers_it_is_one_that_can_be_given(answers):
    kind = " ".join(QUESTION_KINDS[0])
    rows = [Row(0, 0.0, 1.0, {"kind": kind, "question": "how many are there?", "truth": each}) for each in answers]
    best = max(answers.count("two"), answers.count("three"))
    assert abs(avqa.TASK.chance(rows)["average"] - best / len(answers)) < 1e-6
