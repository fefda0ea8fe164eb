"""The comparison: rows that parse, a table that says what the runs found, claims that can fail."""

import csv
import io
import json

import pytest

from crossmodal.cli.ave_options import parse
from crossmodal.recipes.world import compare as compare_ave
from crossmodal.recipes.world.compare import (
    BEGIN,
    END,
    ROWS,
    Row,
    as_csv,
    gathered,
    markdown,
    runs_of,
    verdicts,
    write_page,
)

SEEDS = (0, 1)


def found(folder, accuracies):
    """Leaves behind what finished runs leave: row → accuracy a seed."""
    for row, values in accuracies.items():
        for run, value in zip(runs_of(SEEDS, [row]), values, strict=False):
            (folder / run.name).mkdir(parents=True)
            facts = {"test_accuracy": value, "majority_accuracy": 0.25, "trainable_parameters": 1234}
            (folder / run.name / "summary.json").write_text(json.dumps(facts))


def table(**other):
    """A table in which the claims hold, but for `other`."""
    rows = {"audio only": 0.3, "visual only": 0.4, "late fusion": 0.45, "guided by another clip": 0.45}
    return {name: Row((value - 0.01, value + 0.01), (0.25, 0.25), 1) for name, value in
            {**rows, "DG-SCT (paper)": 0.8, **other}.items()}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_a_command_that_fit_understands(row):
    (run,) = runs_of([3], [row])
    _, given = parse(run.words)
    assert (given.seed, given.data.seed, given.data.clips, given.data.held_out) == (3, 3, 2000, 200)


def test_seeds_are_finished_one_after_another():
    assert [(run.row, run.seed) for run in runs_of(SEEDS)] == [(row, seed) for seed in SEEDS for row in ROWS]


def test_what_was_found_is_what_the_table_says(tmp_path):
    found(tmp_path, {"late fusion": (0.4, 0.5), "LAVisH*": (0.7,)})
    gathered_rows = gathered(tmp_path, SEEDS)
    assert list(gathered_rows) == ["late fusion"]  # one seed of LAVisH* is missing
    assert gathered_rows["late fusion"].mean == pytest.approx(0.45)
    assert "| late fusion | 45.0 ± 7.1 | 40.0 50.0 | 1,234 |" in markdown(gathered_rows)
    assert "| *the most frequent label* | *25.0* |" in markdown(gathered_rows)
    lines = list(csv.DictReader(io.StringIO(as_csv(gathered_rows, SEEDS))))
    assert [(line["row"], line["seed"], line["test_accuracy"]) for line in lines] == [
        ("late fusion", "0", "0.4"),
        ("late fusion", "1", "0.5"),
    ]


def test_claims_hold_or_they_do_not():
    assert all(line.startswith("holds") for line in verdicts(table()))
    broken = {"late fusion": 0.79, "guided by another clip": 0.785, "visual only": 0.7}
    for number, (row, value) in enumerate(broken.items()):
        said = verdicts(table(**{row: value}))
        assert [line.startswith("DOES NOT HOLD") for line in said] == [index == number for index in range(3)]


def test_the_page_gets_the_table_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match=r"has no place for the table"):
        write_page(page, "new")


@pytest.mark.parametrize("page", ["", "absent.md"])
def test_a_page_without_a_place_is_refused_before_anything_is_trained(tmp_path, monkeypatch, page):
    monkeypatch.setattr(compare_ave, "sweep", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="has no place for the table"):
        compare_ave.main(["--page", page])


def test_the_command_writes_the_table_and_the_page(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    monkeypatch.setattr(compare_ave, "probes", lambda: ["  sees red 1.000"])
    monkeypatch.setattr(compare_ave, "sweep", lambda runs, folder, workers: found(
        folder, {row: (0.9, 0.91) if row == "DG-SCT (paper)" else (0.4, 0.41) for row in ROWS}))  # fmt: skip
    compare_ave.main(["--seeds", "0", "1", "--runs", str(tmp_path / "runs"), "--page", str(page)])
    said = (tmp_path / "runs/table.md").read_text()
    assert all(f"| {row} |" in said for row in ROWS)
    assert said.strip() in page.read_text()
    assert (tmp_path / "runs/table.csv").read_text().count("\n") == 1 + 2 * len(ROWS)
    assert "sees red 1.000" in capsys.readouterr().out
