"""`predictions.csv`: every segment of the test split once, as an obvious loop over the split says."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from commands import SMALL, crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data import AVE, Preprocess
from crossmodal.data.world import World
from crossmodal.heads import decode_events
from crossmodal.tasks import ave
from crossmodal.tasks.task import Row
from crossmodal.testing.ave_layout import write_ave
from crossmodal.training.predictions import CollectedRows, write_predictions
from crossmodal.training.run import load_run


def rows_of(run):
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def loop_over(folder, run):
    """What the run says, clip by clip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        model, arguments = load_run(Path(run), ave.TASK)
        arguments.data.preprocess = model.preprocess
        clips, labels = arguments.data.split("test"), [*model.classes, "background"]
        for index, name in enumerate(clips.names):
            clip = clips[index]
            with torch.inference_mode():
                decoded = decode_events(model.score(clip.frames[None], clip.wave[None]))
            for second, truth in enumerate(clip.labels):
                prediction, score = decoded.labels[0, second], decoded.confidence[0, second].item()
                yield name, str(second), labels[truth], labels[prediction], score


@pytest.fixture(scope="module")
def uneven(lab):
    """A run of three test clips in batches of two: the last one is short."""
    folder, _ = lab
    words = ["--data.held_out=3", "--trainer.max_epochs=1", "--trainer.limit_train_batches=1"]
    said = crossmodal(folder, "ave", "fit", "--name", "uneven", *SMALL, *words)
    assert said.code == 0, said.err
    return folder


def test_it_is_what_a_loop_over_the_split_says(uneven):
    rows = rows_of(uneven / "runs/uneven")
    expected = list(loop_over(uneven, "runs/uneven"))
    assert (len(rows), list(rows[0])) == (30, ["clip", "segment", "truth", "prediction", "score", "value", "weight"])
    assert [tuple(row.values())[:4] for row in rows] == [words[:4] for words in expected]
    assert [float(row["score"]) for row in rows] == pytest.approx([score for *_, score in expected], abs=1e-5)


def test_its_accuracy_is_the_summarys(uneven):
    rows = rows_of(uneven / "runs/uneven")
    summary = json.loads((uneven / "runs/uneven/summary.json").read_text())
    right = sum(row["truth"] == row["prediction"] for row in rows)
    assert right / len(rows) == pytest.approx(summary["test"]["accuracy"], abs=1e-6)
    assert sum(float(row["value"]) for row in rows) == right


def test_test_writes_it_anew(uneven):
    shutil.copytree(uneven / "runs/uneven", uneven / "runs/retested")
    file = uneven / "runs/retested/predictions.csv"
    before = file.read_text()
    file.unlink()
    assert crossmodal(uneven, "ave", "test", "--run", "runs/retested").code == 0
    assert file.read_text() == before


@pytest.mark.slow
def test_two_processes_write_what_one_writes(uneven):
    run = uneven / "runs/two"
    shutil.copytree(uneven / "runs/uneven", run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["trainer"] |= {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    before = (run / "predictions.csv").read_text()
    (run / "predictions.csv").unlink()
    words = [sys.executable, "-m", "crossmodal", "ave", "test", "--run", "runs/two"]
    done = subprocess.run(words, cwd=uneven, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (run / "predictions.csv").read_text().splitlines() == before.splitlines()
    assert done.stdout.count("test accuracy") == 1


@given(st.permutations(range(5)), st.integers(1, 3), st.integers(1, 4))
def test_rows_come_back_in_the_order_of_the_split(order, size, segments):
    collected = CollectedRows()
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        rows = [Row(at, 1.0, 1.0, {"segment": s}) for at in range(len(batch)) for s in range(segments)]
        collected.add((batch[row.item], row) for row in rows)
    found = [(item, row.columns["segment"]) for item, row in collected.gathered()]
    assert found == [(clip, segment) for clip in range(5) for segment in range(segments)]


def test_names_with_commas_and_quotes_come_back(tmp_path):
    columns = {"truth": "dog, barking", "score": 0.0}
    write_predictions(tmp_path / "predictions.csv", [(0, Row(0, 0.0, 1.0, columns))], ['a,"b'])
    (row,) = rows_of(tmp_path)
    assert (row["clip"], row["truth"], row["score"], row["weight"]) == ('a,"b', "dog, barking", "0.000000", "1.0")


def test_names_of_the_world_say_which_clip_it_is():
    assert World("test", clips=18, seed=3).names[17] == "world-3-test-17"


def test_names_of_ave_are_video_ids_told_apart_where_a_video_has_several_rows(tmp_path):
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 2})
    rows = (tmp_path / "AVE/testSet.txt").read_text().splitlines()
    (tmp_path / "AVE/testSet.txt").write_text("\n".join([*rows, rows[0]]) + "\n")
    assert AVE(tmp_path / "AVE", "test", Preprocess(size=16)).names == ["-test00000#1", "-test00001", "-test00000#2"]
