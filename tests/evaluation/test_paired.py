"""Two runs item by item: what is paired, what cannot be."""

import csv

import pytest

from crossmodal.evaluation.paired import ItemResult, difference, mean_score, paired, read_result
from crossmodal.metrics import crossed_interval, nested_interval

HEAD = ("clip", "segment", "truth", "prediction", "score", "value", "weight")


def result(items, truth="red"):
    """Item → right or wrong, row by row."""
    return {
        name: ItemResult(float(rows.count("1")), float(len(rows)), tuple((truth, "1.0") for _ in rows))
        for name, rows in items.items()
    }


def write(run, rows, head=HEAD):
    with (run / "predictions.csv").open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([head, *rows])


def test_a_run_is_read_from_its_predictions(tmp_path):
    rows = [("b", 0, "red", "red", 0.5, 1, 1), ("a", 0, "red", "red", 0.9, 1, 1), ("a", 1, "NA", "red", 0.5, 0.25, 0.5)]
    write(tmp_path, rows)
    found = read_result(tmp_path, "ave")
    assert found["a"] == ItemResult(1.25, 1.5, (("red", "1.0"), ("NA", "0.5")))
    assert mean_score(found) == pytest.approx(2.25 / 2.5)


def test_a_run_without_rows_says_what_writes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"has no predictions.csv: `crossmodal ave test --run {tmp_path}`"):
        read_result(tmp_path, "ave")
    write(tmp_path, [("b", 0, "red", "red", 0.5)], HEAD[:5])
    with pytest.raises(ValueError, match=r"has no column 'value': an older version wrote it; `crossmodal ave test"):
        read_result(tmp_path, "ave")


def test_items_are_paired_whatever_their_order():
    ours, theirs = result({"a": "1101", "b": "00"}), result({"b": "01", "a": "1000"})
    values, weights = paired(ours, theirs, "x")
    assert (values.tolist(), weights.tolist()) == ([2, -1], [4, 2])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": "11"}, "'b' is in one of the two alone \\(1 such items\\)"),
        ({"a": "11", "b": "111"}, "the rows of 'b', their truth or their weights differ"),
    ],
)
def test_other_items_are_refused(other, message):
    with pytest.raises(ValueError, match=f"'x' and 'full', seed 3, cannot be compared item by item: {message}"):
        difference({3: result({"a": "11", "b": "10"})}, {3: result(other)}, "'x' and 'full'")


def test_other_labels_are_refused():
    with pytest.raises(ValueError, match=r"their truth or their weights differ.*delete the folder of the older run"):
        paired(result({"a": "1"}, truth="blue"), result({"a": "1"}), "x")


TRUTHS = {
    "ave": ("clip", "truth"),
    "avvp, heard": ("clip", "heard_truth"),
    "avvp, seen": ("clip", "seen_truth"),
    "avs": ("clip", "object_share"),
}


@pytest.mark.parametrize("truths", [("0.25", "0.5"), ("7", "007"), ("1", "1.0")])
@pytest.mark.parametrize("head", TRUTHS.values(), ids=TRUTHS)
def test_the_truth_of_every_task_is_compared(tmp_path, head, truths):
    for name, truth in zip("ab", truths, strict=True):
        (tmp_path / name).mkdir()
        write(tmp_path / name, [("x", truth, "what this run says", 1, 1)], (*head, "heard", "value", "weight"))
    ours, theirs = (read_result(tmp_path / name, "avvp") for name in "ab")
    with pytest.raises(ValueError, match="the rows of 'x', their truth or their weights differ"):
        paired(ours, theirs, "x")


def test_seeds_that_share_no_item_are_nested_and_those_that_share_all_are_crossed():
    ours = {seed: result({"a": "1101", "b": f"{seed}01", "c": "11"}) for seed in (0, 1)}
    theirs = {seed: result({"a": "1000", "b": "110", "c": "00"}) for seed in (0, 1)}
    pairs = [paired(ours[seed], theirs[seed], "x") for seed in (0, 1)]
    assert difference(ours, theirs, "x") == crossed_interval(*zip(*pairs, strict=True))
    for of in (ours, theirs):
        of[1] = {f"other-{name}": item for name, item in of[1].items()}
    assert difference(ours, theirs, "x") == nested_interval(*zip(*pairs, strict=True))


def test_only_seeds_of_both_are_compared():
    ours, theirs = ({seed: result({"a": right}) for seed in seeds} for right, seeds in (("11", (0, 2)), ("10", (1, 2))))
    assert difference(ours, theirs, "x") == (0.5, 0.5, 0.5)
    assert difference({0: ours[0]}, {1: theirs[1]}, "x") is None
