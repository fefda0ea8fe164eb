"""`crossmodal TASK compare`: systems and rows become runs, and their table stands beside the published scores."""

import csv
import json
import shlex

import pytest
from commands import crossmodal

from crossmodal.evaluation.study import Study
from crossmodal.tasks.resolve import find_task


@pytest.fixture
def trained(monkeypatch):
    """Stands in for training and counting: every run gets finished, a row the better the later it stands."""
    monkeypatch.setattr(Study, "operations", lambda study, name: 10**9)

    def sweep(runs, folder, *, workers, cluster):
        rows = list(dict.fromkeys(run.row for run in runs))
        for run in runs:
            right = 1 + rows.index(run.row)
            (folder / run.name).mkdir(parents=True, exist_ok=True)
            monitor = find_task(run.task).monitor
            scores = {monitor: right / 5, "audio": right / 10 + run.seed / 100, "audio_visual_temporal": 0.5}
            facts = {"test": scores, "chance": {monitor: 0.25}, "trainable_parameters": 12}
            facts["seconds"] = 10.0 * (1 + runs.index(run))
            (folder / run.name / "summary.json").write_text(json.dumps(facts))
            lines = [f"item-{at},red,red,{float(at < right)},1.0\n" for at in range(5)]
            (folder / run.name / "predictions.csv").write_text("clip,truth,prediction,value,weight\n" + "".join(lines))

    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", sweep)


def printed(folder, *words):
    """Row → the words of its options, of one seed."""
    said = crossmodal(folder, *words[:2], "--seeds", "4", "--print-commands", "--runs", "r", *words[2:])
    assert said.code == 0, said.err
    lines = [shlex.split(line.partition(" -m crossmodal ")[2]) for line in said.lines]
    return {line[line.index("--name") + 1].rsplit("-4-", 1)[0]: line[2 : line.index("--seed")] for line in lines}


def test_systems_and_rows_are_runs(tmp_path):
    words = ["--systems", "lavish", "dg_sct", "--row", "late fusion=--model.edges []", "--", "--data.clips", "8"]
    assert printed(tmp_path, "classify", "compare", *words) == {
        "lavish": ["--data.clips", "8", "--system", "lavish"],
        "dg-sct": ["--data.clips", "8", "--system", "dg_sct"],
        "late-fusion": ["--data.clips", "8", "--model.edges", "[]"],
    }


def test_all_systems_stand_in_the_order_of_the_published_table(tmp_path):
    found = list(printed(tmp_path, "ave", "compare"))
    assert [name for name in found if name in ("lavish", "dg-sct", "lite")] == ["lavish", "dg-sct", "lite"]


def test_the_table_has_published_scores_beside_ours_where_nothing_was_changed(tmp_path, trained):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- compare: begin -->\nold\n<!-- compare: end -->\nafter\n")
    row = ["--row", "late fusion=--model.edges []", "--page", "page.md"]
    said = crossmodal(tmp_path, "ave", "compare", "--systems", "lavish", "dg_sct", "--seeds", "0", "1", *row)
    assert said.code == 0, said.err
    cells = [line.split() for line in said.lines[1:4]]
    assert cells[0] == ["lavish", "20.0", "±", "0.0", "20.0", "20.0", "–", "12", "1.00", "G", "25", "78.6"]
    assert cells[1][:4] == ["dg_sct", "40.0", "±", "0.0"]
    assert (cells[1][6], cells[1][-1]) == ("+20.0", "82.2")
    assert (cells[2][:2], cells[2][-1]) == (["late", "fusion"], "–")
    assert "never measured by this library; from slides on DG-SCT (NeurIPS 2023)." in said.out
    table = (tmp_path / "runs/ave-compare/table.md").read_text()
    assert page.read_text() == f"before\n<!-- compare: begin -->\n\n{table.strip()}\n\n<!-- compare: end -->\nafter\n"
    assert "published_percent" in (tmp_path / "runs/ave-compare/table.csv").read_text()


def test_of_two_published_tables_that_of_the_setting_stands_beside(tmp_path, trained):
    for panel, expected in (("", "49.1"), ("--data.setting=s4", "78.0"), ("--data.setting=ms3", "49.1")):
        words = ["--systems", "lavish", "--seeds", "0", "--runs", f"r{panel}", "--", *panel.split()]
        said = crossmodal(tmp_path, "avs", "compare", *words)
        assert said.code == 0, said.err
        assert said.lines[1].split()[-1] == expected


def test_other_scores_of_the_published_tables_stand_in_a_second_one(tmp_path, trained):
    row = ["--row", "narrow=--system dg_sct --model.width 8"]
    said = crossmodal(tmp_path, "avqa", "compare", "--systems", "st_avqa", "dg_sct", "--seeds", "0", "2", *row)
    assert said.code == 0, said.err
    runs = tmp_path / "runs/avqa-compare"
    second = (runs / "table.md").read_text().split("\n\n")[1].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in second]
    assert cells[0] == ["", "audio, %"]  # of kinds nothing is published
    assert cells[2:] == [["st_avqa", "11.0 ± 1.4 (74.1)"], ["dg_sct", "21.0 ± 1.4 (77.4)"], ["narrow", "31.0 ± 1.4"]]
    assert "Other scores: mean ± standard deviation, %, and in parentheses what others published." in said.out
    with (runs / "table.csv").open(newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert [(float(line["audio_mean"]), line["audio_visual_temporal_mean"]) for line in lines] == [
        (pytest.approx(0.1 * (at + 1) + 0.01), "0.5") for at in range(3)
    ]
    assert (runs / "table.tex").read_text().count("toprule") == 2


def test_of_a_task_of_which_nothing_is_published_nothing_is_said(tmp_path, trained):
    said = crossmodal(tmp_path, "classify", "compare", "--systems", "lavish", "dg_sct", "--seeds", "0")
    assert said.code == 0, said.err
    assert "ublished" not in said.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--row", "--model.edges []"], "--row '--model.edges []' is not NAME=OPTIONS"),
        (["--row", "x=--model.alhpa=1"], "compare: 'x' (--model.alhpa=1): "),
        (["--row", "x=--seed 3"], "--seed is given to every run by the compare: leave it out."),
        (["--baseline", "lavihs"], "baseline='lavihs' is none of the variants ['lavish', 'dg_sct']"),
        (["--row", "x=--system lavish"], "'lavish' and 'x' are the same model, trained alike: leave out one."),
        (["--row", "a=--model.edges []", "--row", " a =--model.width 8"], "'a' is asked for twice: name it otherwise."),
        (["--row", "lavish=--model.edges []"], "'lavish' is the row of the system of that name already: name it oth"),
        (["--panel", "a=--data.clips 3", "--panel", "a=--data.clips 4"], "'a' is asked for twice: name it otherwise."),
        (["--panel", "a b=", "--panel", "A, b=--data.clips 4"], "the panels 'a b' and 'A, b' share the folder 'a-b'"),
        (["--page", "gone.md"], "compare: gone.md has no place for the table: it lacks <!-- compare: begin -->"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused_before_anything_is_trained(tmp_path, words, message):
    said = crossmodal(tmp_path, "ave", "compare", "--systems", "lavish", "dg_sct", "--seeds", "0", *words)
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("trained")
def test_over_an_option_a_table_per_value_and_curves(tmp_path):
    rows = ["--row", "a=--model.width 8", "--systems", "dg_sct"]
    said = crossmodal(tmp_path, "ave", "compare", *rows, "--seeds", "0", "1", "--runs", "r", "--over", "data.clips=3,5")
    assert said.code == 0, said.err
    points = (tmp_path / "r/curves.csv").read_text().splitlines()
    assert points[0] == "panel,system,value,mean,low,high,seeds"
    assert points[1:] == [
        f",{name},{at},{mean},{mean},{mean},2" for name, mean in (("dg_sct", 0.2), ("a", 0.4)) for at in (3, 5)
    ]
    assert "<svg" in (tmp_path / "r/curves.svg").read_text()
    assert {folder.name for folder in (tmp_path / "r").iterdir() if folder.is_dir()} == {"clips-3", "clips-5"}
    said = crossmodal(tmp_path, "ave", "compare", "--over", "data.clips")
    assert "is not OPTION=VALUE,VALUE" in said.err


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("over", [False, True])
def test_panels_are_settings_of_all_rows_side_by_side(tmp_path, over):
    page = tmp_path / "page.md"
    page.write_text("<!-- compare: begin --><!-- compare: end -->")
    panels = ["--panel", "few clips=--data.clips 3", "--panel", "many=--data.clips 9"]
    more = ["--over", "data.batch_size=1,2"] if over else []
    words = ["--systems", "dg_sct", "lavish", "--seeds", "0", "--runs", "r", *panels, *more, "--page", "page.md"]
    said = crossmodal(tmp_path, "ave", "compare", *words)
    assert said.code == 0, said.err
    found = {str(table.parent.relative_to(tmp_path / "r")) for table in (tmp_path / "r").rglob("table.md")}
    values = ("/batch_size-1", "/batch_size-2") if over else ("",)
    assert found == {f"{panel}{value}" for panel in ("few-clips", "many") for value in values}
    drawn = (tmp_path / "r" / ("curves.svg" if over else "scores.svg")).read_text()
    assert all(f"<!-- {name} -->" in drawn for name in ("few clips", "many", "dg_sct", "lavish"))
    headings = [line for line in page.read_text().splitlines() if line.startswith("**")]
    assert headings == [
        f"**{panel}{f', `data.batch_size` {value}' if value else ''}**"
        for panel in ("few clips", "many")
        for value in ((1, 2) if over else ("",))
    ]
    assert "is not NAME=OPTIONS" in crossmodal(tmp_path, "ave", "compare", "--panel", "nameless").err
