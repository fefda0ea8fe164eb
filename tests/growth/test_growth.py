"""Growth: a third task, of one task file and one system file in a folder of its own, has every verb of the house."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import pytest
from commands import crossmodal, runs_here
from films import film

HERE = Path(__file__).parent
QUICK = ["--data.clips=12", "--data.batch_size=6", "--trainer.enable_progress_bar=false"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with the two files, a film and a finished run."""
    folder = tmp_path_factory.mktemp("growth")
    for name in ("loudness.py", "listener.py"):
        (folder / name).write_bytes((HERE / name).read_bytes())
    (folder / "films").mkdir()
    film(folder / "films/film.mp4", picture=tuple(Fraction(index, 10) for index in range(40)), sound=(0, 4))
    said = crossmodal(folder, "loudness", "fit", "--name", "first", *QUICK, drawn=1)
    assert said.code == 0, said.err
    return folder, said


def test_fit_leaves_what_every_run_leaves(lab):
    folder, said = lab
    run = folder / "runs/first"
    assert said.lines[0].startswith("crossmodal loudness fit: system listener, on ")
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary["test"]) == set(summary["chance"]) == {"accuracy"}
    with (run / "predictions.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert list(rows[0]) == ["clip", "truth", "prediction", "value", "weight"]
    assert sum(float(row["value"]) for row in rows) / len(rows) == pytest.approx(summary["test"]["accuracy"])
    assert "Loud seconds" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["test"], "test accuracy"),
        (["predict", "films/film.mp4"], "loud seconds: "),
        (["features", "films", "features.h5"], "features of 1 of 1 clips, 4 rows"),
        (["cost", "--form=markdown"], "coupled.couplers"),
        (["look", "--figures=1"], "written to runs/first/looking/"),
        (["figure", "--clips=6", "--train_clips=12"], "written to runs/first/figure/"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_a_verb_works(lab, words, expected):
    said = crossmodal(lab[0], "loudness", *words)
    assert said.code == 0, said.err
    assert expected in said.out


@pytest.mark.parametrize("here", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["here", "processes"])
def test_an_ablation_and_a_comparison_share_their_finished_runs(lab, monkeypatch, here):
    if here:
        runs_here(monkeypatch)
    words = ["--seeds", "0", "--runs", f"runs/study{here}", "--", "--data.clips=4", "--data.batch_size=2"]
    said = crossmodal(lab[0], "loudness", "ablate", "--without", "spatial", "--baseline", "listener", *words)
    assert said.code == 0, said.err
    assert "without spatial" in said.out
    runs = sorted(folder.name for folder in (lab[0] / f"runs/study{here}").iterdir() if folder.is_dir())
    compared = crossmodal(lab[0], "loudness", "compare", "--systems", "listener", *words)
    assert compared.code == 0, compared.err
    assert "listener" in compared.out
    assert sorted(folder.name for folder in (lab[0] / f"runs/study{here}").iterdir() if folder.is_dir()) == runs


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("reproduce", "loudness has no reproduce: nobody has published weights of this task."),
        ("prepare", "no data source of loudness has a layout to prepare."),
    ],
)
def test_a_verb_that_it_cannot_have_says_so(lab, verb, reason):
    said = crossmodal(lab[0], "loudness", verb)
    assert said.code == 2
    assert reason in said.err


def test_the_help_of_the_task_lists_its_verbs(lab):
    said = crossmodal(lab[0], "loudness", "--help")
    assert said.code == 0
    assert "reproduce  (none: nobody has published weights of this task)" in said.out
