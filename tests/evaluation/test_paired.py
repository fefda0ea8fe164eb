"""Two runs clip by clip: what is paired, what cannot be."""

import csv

import pytest

from crossmodal.evaluation.paired import Second, accuracy, difference, majority, paired, read_answers
from crossmodal.metrics import crossed_interval, nested_interval


def answers(clips):
    """Clip → right or wrong, second by second."""
    return {
        clip: tuple(Second(str(at), "red", right == "1") for at, right in enumerate(seconds))
        for clip, seconds in clips.items()
    }


def test_a_run_is_read_from_its_predictions(tmp_path):
    rows = [("b", 0, "red", "red", 0.5), ("a", 1, "background", "red", 0.5), ("a", 0, "red", "red", 0.9)]
    with (tmp_path / "predictions.csv").open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([("clip", "segment", "truth", "prediction", "score"), *rows])
    found = read_answers(tmp_path)
    assert found["a"] == (Second("0", "red", True), Second("1", "background", False))
    assert (accuracy(found), majority(found)) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_a_run_without_predictions_says_what_writes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"has no predictions.csv: `crossmodal ave test --run {tmp_path}`"):
        read_answers(tmp_path)


def test_clips_are_paired_whatever_their_order():
    ours, theirs = answers({"a": "1101", "b": "00"}), answers({"b": "01", "a": "1000"})
    right, size = paired(ours, theirs, "x")
    assert (right.tolist(), size.tolist()) == ([2, -1], [4, 2])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": "11"}, "'b' is in one of the two alone \\(1 such clips\\)"),
        ({"a": "11", "b": "111"}, "the seconds of 'b' or their labels differ"),
    ],
)
def test_other_clips_are_refused(other, message):
    with pytest.raises(
        ValueError, match=f"ablation: 'x' and 'full', seed 3, cannot be compared clip by clip: {message}"
    ):
        difference({3: answers({"a": "11", "b": "10"})}, {3: answers(other)}, "'x' and 'full'")


def test_other_labels_are_refused():
    seconds = {"a": (Second("0", "blue", True),)}
    with pytest.raises(ValueError, match=r"their labels differ.*delete the folder of the older run"):
        paired(seconds, answers({"a": "1"}), "x")


def test_seeds_that_share_no_clip_are_nested_and_those_that_share_all_are_crossed():
    ours = {seed: answers({"a": "1101", "b": f"{seed}01", "c": "11"}) for seed in (0, 1)}
    theirs = {seed: answers({"a": "1000", "b": "110", "c": "00"}) for seed in (0, 1)}
    pairs = [paired(ours[seed], theirs[seed], "x") for seed in (0, 1)]
    assert difference(ours, theirs, "x") == crossed_interval(*zip(*pairs, strict=True))
    for of in (ours, theirs):
        of[1] = {f"other-{clip}": seconds for clip, seconds in of[1].items()}
    assert difference(ours, theirs, "x") == nested_interval(*zip(*pairs, strict=True))


def test_only_seeds_of_both_are_compared():
    ours, theirs = (
        {seed: answers({"a": right}) for seed in seeds} for right, seeds in (("11", (0, 2)), ("10", (1, 2)))
    )
    assert difference(ours, theirs, "x") == (0.5, 0.5, 0.5)
    assert difference({0: ours[0]}, {1: theirs[1]}, "x") is None
