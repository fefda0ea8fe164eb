"""Published figures: shipped, with a source each, and never mixed with ours."""

import json
from collections import Counter
from pathlib import Path

import pytest

from crossmodal.evaluation.published import (
    FILE,
    in_published_order,
    main,
    published,
    published_scores,
    published_table,
)
from crossmodal.tasks.ave import TASK
from crossmodal.tasks.classify import TASK as CLASSIFY
from crossmodal.tasks.resolve import find_task

FEW_CLIPS = [f"{task}_SHOT-{data}" for task in ("FEW", "ZERO") for data in ("AVE", "AVE-CLASSES", "LLP-CLASSES")]
TASKS = {"AVE": 12, "AVVP": 50, "AVS-S4": 8, "AVS-MS3": 8, "AVQA": 24} | dict.fromkeys(FEW_CLIPS[:3], 25)
TASKS |= dict.fromkeys(FEW_CLIPS[3:], 7)
"""How many figures the tables of the slides have, and the name of the checkpoint beside those of AVE."""


def test_they_ship_with_the_package():
    """The wheel takes what lies in `crossmodal/` and git does not ignore."""
    assert FILE.parent == Path(__file__).parents[2] / "crossmodal" / "evaluation"
    assert FILE.read_text(encoding="utf-8").startswith("task,method,system,encoders,metric,score,percent,")


def test_every_figure_has_a_source_and_stands_once():
    figures = published()
    assert Counter(figure.task for figure in figures) == TASKS
    assert set(Counter((f.task, f.method, f.metric) for f in figures).values()) == {1}
    assert all(figure.source.startswith(("slides", "released code")) for figure in figures)
    assert all(0 < float(figure.percent) < 100 for figure in figures)


def test_the_figures_that_others_rest_on():
    found = {(f.task, f.method, f.metric): f.percent for f in published()}
    assert found["AVE", "DG-SCT", "accuracy"] == "82.2"
    assert found["AVE", "LAVisH*", "accuracy"] == "78.6"
    assert found["AVVP", "DG-SCT", "segment-level Type@AV"] == "57.1"
    assert found["AVVP", "HAN", "event-level Event@AV"] == "48.0"
    assert (found["AVS-S4", "DG-SCT", "M_J"], found["AVS-MS3", "DG-SCT", "M_F"]) == ("80.9", "64.2")
    assert found["AVQA", "DG-SCT", "all questions"] == "74.8"
    assert found["FEW_SHOT-AVE", "DG-SCT", "accuracy, 16 shots"] == "72.4"
    assert found["ZERO_SHOT-LLP-CLASSES", "DG-SCT", "accuracy"] == "35.8"


@pytest.mark.parametrize("task", TASKS)
def test_printed_alone_nothing_is_ours(task, capsys):
    assert main([task]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{task}, published by others; not measured by this library:"
    sources = 2 if task in ("AVE", *FEW_CLIPS) else 1
    assert len([line for line in lines if line.startswith("  from: ")]) == sources
    assert "ours" not in "".join(lines)
    assert len(lines) == 1 + TASKS[task] + sources


def finished(folder, root="AVE", **facts):
    folder.mkdir()
    (folder / "config.yaml").write_text(f"data:\n  root: {root}\n")
    (folder / "summary.json").write_text(json.dumps(facts))
    return folder


def test_ours_stand_apart_and_say_what_they_are_of(tmp_path):
    runs = [
        finished(tmp_path / "world", "null", test={"accuracy": 0.76}),
        finished(tmp_path / "real", test={"accuracy": 0.5}),
        finished(tmp_path / "released", test={"accuracy": 0.6}, selected_on="test"),
    ]
    *_, blank, title, world, real, released = published_table("AVE", runs).splitlines()
    assert (blank, title) == ("", "Runs of ours:")
    assert world.split() == f"76.0 accuracy {runs[0]}: on the built-in world, so not comparable".split()
    assert real.split() == f"50.0 accuracy {runs[1]}: on AVE".split()
    assert released.split() == f"60.0 accuracy {runs[2]}: on AVE; selected on the test split".split()


def test_what_cannot_stand_beside_them_is_named(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"task='AVQ' is none of AVE, AVVP, AVS-S4, AVS-MS3, AVQA"):
        published("AVQ")
    with pytest.raises(FileNotFoundError, match=r"run gone has no summary.json"):
        published_table("AVE", [Path("gone")])
    untested = finished(tmp_path / "untested", seed=0)
    with pytest.raises(ValueError, match=r"was not tested: `crossmodal ave test --run"):
        published_table("AVE", [untested])
    with pytest.raises(ValueError, match="runs are of AVE, and cannot stand beside the table of AVQA"):
        published_table("AVQA", [untested])
    assert main(["AVE", "--run", "gone"]) == 1
    assert "crossmodal: published: run gone has no summary.json" in capsys.readouterr().err


def test_a_system_is_found_among_the_published_ones():
    found = [published_scores(TASK, name) for name in ("dg_sct", "lavish", "lite")]
    assert found == [{"accuracy": "82.2"}, {"accuracy": "78.6"}, {}]
    assert published_scores(CLASSIFY, "dg_sct") == {}
    found = [published_scores(find_task("avs"), "lavish", settings)["overlap"] for settings in ((), {"s4"}, {"ms3"})]
    assert found == ["78.0 / 49.1", "78.0", "49.1"]
    # of the default data and number of shots alone
    found = [published_scores(find_task(name), "maple")["accuracy"] for name in ("few_shot", "zero_shot")]
    assert found == ["67.1", "61"]
    assert in_published_order(TASK, ["lite", "dg_sct", "mine", "lavish"]) == ["lavish", "dg_sct", "lite", "mine"]
