"""The comparison on the built-in world: rows that parse, claims that can fail, a page that gets them."""

import json

import pytest

from crossmodal.data.table_cell import in_markdown
from crossmodal.evaluation.result_table import ResultRow, ResultTable
from crossmodal.evaluation.study import Study
from crossmodal.recipes.world import compare
from crossmodal.recipes.world.compare import ROWS, SCHEDULE, verdicts
from crossmodal.tasks.ave import TASK
from crossmodal.training.options import parse


def table(**other):
    """A table in which the claims hold, but for `other`."""
    rows = {"audio only": 0.3, "visual only": 0.4, "late fusion": 0.45, "guided by another clip": 0.45}
    rows = {**rows, "DG-SCT (paper)": 0.8, **other}
    made = tuple(ResultRow(name, (0, 1), (value - 0.01, value + 0.01), None, (), 1) for name, value in rows.items())
    return ResultTable(made, "late fusion", (0, 1), tuple(rows), 8)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_a_command_that_fit_understands(row):
    _, given = parse([*SCHEDULE, *ROWS[row]], TASK)
    assert (given.data.clips, given.data.held_out) == (2000, 200)


def test_claims_hold_or_they_do_not():
    assert all(line.startswith("holds") for line in verdicts(table()))
    broken = {"late fusion": 0.79, "guided by another clip": 0.785, "visual only": 0.7}
    for number, (row, value) in enumerate(broken.items()):
        said = verdicts(table(**{row: value}))
        assert [line.startswith("DOES NOT HOLD") for line in said] == [index == number for index in range(3)]


@pytest.fixture
def trained(monkeypatch):
    """Stands in for training: DG-SCT is right in nine of ten items, all others in four."""

    def sweep(runs, folder, *, workers, cluster):
        for run in runs:
            right = 9 if run.row == "DG-SCT (paper)" else 4
            (folder / run.name).mkdir(parents=True)
            facts = {"test": {"accuracy": right / 10}, "chance": {"accuracy": 0.25}, "trainable_parameters": 1234}
            (folder / run.name / "summary.json").write_text(json.dumps(facts))
            lines = [f"item-{at},red,red,{float(at < right)},1.0\n" for at in range(10)]
            (folder / run.name / "predictions.csv").write_text("clip,truth,prediction,value,weight\n" + "".join(lines))

    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", sweep)
    monkeypatch.setattr(Study, "operations", lambda study, name: 10**9)
    monkeypatch.setattr(compare, "probes", lambda: ["  sees red 1.000"])


def test_the_command_writes_the_table_and_the_page(tmp_path, trained, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- compare_ave: begin --><!-- compare_ave: end -->")
    assert compare.main(["--seeds", "0", "1", "--runs", str(tmp_path / "runs"), "--page", str(page)]) == 0
    said, printed = page.read_text(), capsys.readouterr().out
    assert "sees red 1.000" in printed
    assert all(f"| {in_markdown(row)} " in said for row in ROWS)
    assert (tmp_path / "runs/table.md").read_text().strip() in said
    assert said.count("- holds: DG-SCT beats") == printed.count("- holds: DG-SCT beats") == 3
    assert "published" not in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--page", ""], "has no place for the table"), (["--page", "absent.md"], "has no place for the table")],
)
def test_a_page_without_a_place_is_refused_before_anything_is_trained(tmp_path, trained, monkeypatch, words, message):
    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        compare.main(words)


def test_other_rows_are_another_command(trained, capsys):
    with pytest.raises(SystemExit):
        compare.main(["--systems", "lite"])
    assert "the rows are fixed here: use `crossmodal ave compare` for others" in capsys.readouterr().err
