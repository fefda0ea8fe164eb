"""Curves and confusion table: what was logged and counted, and nothing else."""

import pandas as pd
import pytest
from html_pages import Read

from crossmodal.evaluation.report.figures import MOST_LABELS, confusion, curves


def test_the_table_counts_segments():
    pairs = [("a", "a"), ("a", "background"), ("background", "background"), ("a", "a"), ("background", "b")]
    table = confusion(pd.DataFrame(pairs, columns=["truth", "prediction"]), "segments")
    assert table.columns == ["a", "b", "background"]
    assert [(line.truth, [count for count, _ in line.cells], line.total, line.right) for line in table.lines] == [
        ("a", [2, 0, 1], 3, "67 %"),
        ("b", [0, 0, 0], 0, "–"),
        ("background", [0, 1, 1], 2, "50 %"),
    ]
    assert table.lines[0].cells[0][1] == pytest.approx(2 / 3)
    assert confusion(pd.DataFrame({"answer": ["a"]}), "answers") is None


def test_a_table_of_many_labels_shows_those_that_count_most():
    labels = [f"{at:02d}" for at in range(MOST_LABELS + 3) for _ in range(1 + (at < MOST_LABELS))]
    table = confusion(pd.DataFrame({"truth": labels, "prediction": labels}), "clips")
    assert table.columns == [f"{at:02d}" for at in range(MOST_LABELS)]
    assert "3 others are left out" in table.remark


def test_curves_of_what_was_logged_and_of_nothing_else():
    logged = pd.DataFrame(
        {
            "step": [0, 1],
            "train_loss": [2.0, 1.0],
            "val_loss": [None, 3.0],
            "train_gate $a$": [1.0, 1.0],
            "train_event": [1.0, 2.0],
            "val_F <1>": [None, 0.5],
            "val_clip": [None, 0.7],
            "lr-Adam": [0.1, 0.05],
        }
    )
    titles = {"loss", "accuracy", "loss terms, training", "other scores, validation", "learning rate"}
    titles |= {"loss terms, validation"}
    pictures = curves(logged, "accuracy", 0.5, {"accuracy", "F <1>"})
    drawn = Read("".join(picture.svg for picture in pictures))
    assert [word for word in drawn.words if word in titles] == [
        "loss",
        "loss terms, training",
        "loss terms, validation",
        "other scores, validation",
        "learning rate",
    ]
    assert {"gate $a$", "event", "F <1>", "Adam"} <= set(drawn.words)
    assert curves(pd.DataFrame({"step": []}), "accuracy", None, ()) == []
    # of a term that no training step logged
    assert "clip" in Read(pictures[2].svg).words
    assert "clip" not in Read(pictures[3].svg).words
