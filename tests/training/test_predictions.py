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
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.cli.predict import load_run
from crossmodal.data import AVE, Preprocess
from crossmodal.data.world import World
from crossmodal.heads import decode_events
from crossmodal.heads.events import DecodedEvents
from crossmodal.testing.ave_layout import write_ave
from crossmodal.training.predictions import Collected, write_predictions


def rows_of(run):
    with (run / "predictions.csv").open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def loop_over(folder, run):
    """What the run says, clip by clip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        model, arguments = load_run(Path(run))
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
    assert (len(rows), list(rows[0])) == (30, ["clip", "segment", "truth", "prediction", "score"])
    assert [tuple(row.values())[:4] for row in rows] == [words[:4] for words in expected]
    assert [float(row["score"]) for row in rows] == pytest.approx([score for *_, score in expected], abs=1e-5)


def test_its_accuracy_is_the_summarys(uneven):
    rows = rows_of(uneven / "runs/uneven")
    summary = json.loads((uneven / "runs/uneven/summary.json").read_text())
    right = sum(row["truth"] == row["prediction"] for row in rows)
    assert right / len(rows) == pytest.approx(summary["test_accuracy"], abs=1e-6)


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


@st.composite
def shared_out(draw):
    """Clips of drawn lengths, dealt to batches with repetitions, as a distributed sampler deals them."""
    clips = draw(st.integers(1, 5))
    dealt = [*draw(st.permutations(range(clips))), *draw(st.lists(st.integers(0, clips - 1), max_size=3))]
    cuts = draw(st.integers(1, 3))
    return clips, [dealt[at : at + cuts] for at in range(0, len(dealt), cuts)], draw(st.integers(1, 4))


@settings(max_examples=25)
@given(shared_out())
def test_every_segment_is_kept_once_and_in_order(case):
    clips, batches, segments = case
    collected = Collected()
    for batch in batches:
        labels = torch.tensor([[clip * 100 + segment for segment in range(segments)] for clip in batch])
        collected.update(batch, labels, DecodedEvents(labels + 1, labels / 1000))
    tested = collected.tested()
    every = [(clip, segment) for clip in range(clips) for segment in range(segments)]
    assert list(zip(tested.clip.tolist(), tested.segment.tolist(), strict=True)) == every
    assert tested.truth.tolist() == [clip * 100 + segment for clip, segment in every]
    assert torch.equal(tested.prediction, tested.truth + 1)
    torch.testing.assert_close(tested.score, tested.truth / 1000)


def test_clips_of_different_lengths_are_collected():
    collected = Collected()
    for clip, length in ((1, 2), (0, 3)):
        collected.update([clip], torch.zeros(1, length, dtype=torch.int64), decoded(length))
    assert collected.tested().clip.tolist() == [0, 0, 0, 1, 1]


def decoded(length):
    return DecodedEvents(torch.zeros(1, length, dtype=torch.int64), torch.zeros(1, length))


def test_names_with_commas_and_quotes_come_back(tmp_path):
    collected = Collected()
    collected.update([0], torch.zeros(1, 1, dtype=torch.int64), decoded(1))
    write_predictions(tmp_path / "predictions.csv", collected.tested(), ['a,"b'], ["dog, barking"])
    (row,) = rows_of(tmp_path)
    assert (row["clip"], row["truth"], row["score"]) == ('a,"b', "dog, barking", "0.000000")


def test_names_of_the_world_say_which_clip_it_is():
    assert World("test", clips=18, seed=3).names[17] == "world-3-test-17"


def test_names_of_ave_are_video_ids_told_apart_where_a_video_has_several_rows(tmp_path):
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 2})
    rows = (tmp_path / "AVE/testSet.txt").read_text().splitlines()
    (tmp_path / "AVE/testSet.txt").write_text("\n".join([*rows, rows[0]]) + "\n")
    assert AVE(tmp_path / "AVE", "test", Preprocess(size=16)).names == ["-test00000#1", "-test00001", "-test00000#2"]
