"""`crossmodal classify`, and a folder of one's own videos as data of both tasks: trained, resumed, told, refused."""

import csv
import json

import pytest
import torch
import yaml
from commands import crossmodal, metrics
from systems import tiny_classes
from torch.nn import functional as F

from crossmodal.checkpoints import read_header
from crossmodal.data import Folder, TrimmedClips
from crossmodal.data.folder.source import ClipFolderSource, FolderSource, in_processes
from crossmodal.data.world import TINY, World
from crossmodal.tasks.class_system import clip_label
from crossmodal.testing.video_folder import write_videos

OWN = ["--data.folder", "own/videos", "--data.labels", "own/labels.csv"]
SHORT = [
    *("--data.batch_size=2", "--data.segments=4", "--model.temporal.segments=4"),
    *("--trainer.max_epochs=2", "--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with videos, all decoded but two that cannot be, and a finished run of `classify fit`."""
    folder = tmp_path_factory.mktemp("own_lab")
    write_videos(folder / "own", files=6)
    (folder / "own/videos/torn.mp4").write_text("no film")
    with (folder / "own/labels.csv").open("a") as table:
        table.write("torn.mp4,red,,\ngone.mp4,blue,,\n")
    for cut in (None, TrimmedClips()):
        Folder(folder / "own/videos", folder / "own/labels.csv", None, TINY, segments=4, windowing=cut).prepare()
    said = crossmodal(folder, "classify", "fit", "--name", "first", *OWN, *SHORT)
    assert said.code == 0, said.err
    return folder, said


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_fit_says_what_there_is_and_what_there_is_not(lab):
    folder, said = lab
    run = folder / "runs/first"
    summary = json.loads((run / "summary.json").read_text())
    accuracy, majority = 100 * summary["test"]["accuracy"], 100 * summary["chance"]["accuracy"]
    (waiting,) = [line for line in said.lines if line.startswith("waiting")]  # how much, with or without a hint
    assert said.lines[: said.lines.index(said.tested[2])] == [
        "crossmodal classify fit: system dg_sct, on the videos in own/videos/, labelled by own/labels.csv; "
        "run runs/first",
        "system             visual pooled by map 'spatial' of stages1_1_mlp",
        "system             audio pooled by map 'spatial' of stages1_1_mlp",
        "data               2 classes, 6 clips of 4 s: 3 train, 2 val, 1 test",
        "data               files drawn by class and file with seed 0",
        "data               left out: 2 clips, for 2 files cannot be had",
        "data               6 clips are shorter: 12 s of them are repeated",
        "left out           see runs/first/left_out.csv",
        waiting,
        f"test accuracy      {accuracy:.1f} % of clips",
        f"chance             {majority:.1f} %  ({accuracy - majority:+.1f} points)",
    ]
    assert (summary["clips"], summary["left_out"]) == ({"train": 3, "val": 2, "test": 1}, 2)
    reasons = {row["file"]: row["reason"] for row in rows_of(run / "left_out.csv")}
    assert reasons["gone.mp4"] == "there is no such file in own/videos (own/labels.csv, line 9)."
    assert "torn.mp4 is no video" in reasons["torn.mp4"]


def test_a_run_leaves_what_those_of_ave_leave(lab):
    run = lab[0] / "runs/first"
    assert {file.name for file in run.iterdir() if file.is_file()} == {
        "config.yaml", "metrics.csv", "adapters.safetensors", "summary.json", "predictions.csv", "report.html",
        "left_out.csv",
    }  # fmt: skip
    (row,) = rows_of(run / "predictions.csv")
    assert list(row) == ["clip", "segment", "truth", "prediction", "score", "value", "weight"]
    assert (row["clip"], row["segment"]) == ("clip04.mp4", "0")
    assert {row["truth"], row["prediction"]} <= {"red", "blue"}
    assert [row["step"] for row in metrics(run) if row["train_loss"]] == ["0", "1"]
    assert read_header(run / "adapters.safetensors")["task"] == "classify"
    page = (run / "report.html").read_text()
    for words in (
        "Classes of clips: first",
        "the videos in videos/",
        "test clips",
        "crossmodal classify test --run",
    ):
        assert words in page


def test_test_says_what_fit_said(lab):
    folder, fitted = lab
    said = crossmodal(folder, "classify", "test")
    assert said.code == 0, said.err
    assert said.lines == [*fitted.lines[3:7], *fitted.tested]


def test_predict_prints_classes_and_draws_a_page(lab):
    folder, _ = lab
    said = crossmodal(folder, "classify", "predict", "own/videos/clip01.mp4", "--run", "runs/first")
    assert said.code == 0, said.err
    assert said.lines[0] == "own/videos/clip01.mp4, by runs/first (it knows 2 labels)"
    found = {line.split()[0]: float(line.split()[1]) for line in said.lines[1:3]}
    assert set(found) == {"red", "blue"}
    assert sum(found.values()) == pytest.approx(1, abs=0.011)
    assert (folder / "runs/first/predictions/clip01.html").is_file()


@pytest.mark.slow
def test_a_run_goes_on_and_ends_as_one_that_was_not_stopped(lab):
    folder, _ = lab
    words = ["--name", "halves", *OWN, *SHORT]
    assert crossmodal(folder, "classify", "fit", *words, "--trainer.max_epochs=1").code == 0
    said = crossmodal(folder, "classify", "fit", "--name", "halves", "--resume", "true", "--trainer.max_epochs=2")
    assert said.code == 0, said.err
    for name in ("metrics.csv", "predictions.csv"):
        assert (folder / "runs/halves" / name).read_text() == (folder / "runs/first" / name).read_text()


def test_ave_takes_the_same_folder_second_by_second(lab):
    folder, _ = lab
    said = crossmodal(folder, "ave", "fit", "--name", "events", *OWN, *SHORT, "--trainer.max_epochs=1")
    assert said.code == 0, said.err
    assert "6 clips are shorter: 6 s of still picture and silence were added, labelled background" in said.out
    rows = rows_of(folder / "runs/events/predictions.csv")
    assert [row["truth"] for row in rows] == ["background", "red", "red", "background"]
    assert yaml.safe_load((folder / "runs/events/config.yaml").read_text())["data"]["folder"] == "own/videos"


def test_commands_take_the_newest_run_of_their_own_and_refuse_others(lab):
    folder, _ = lab
    said = crossmodal(folder, "ave", "test", "--run", "runs/first")
    assert said.code == 1
    assert "run runs/first is one of `crossmodal classify fit`: use `crossmodal classify …` for it." in said.err
    said = crossmodal(folder, "ave", "predict", "own/videos/clip01.mp4", "--runs", "gone")
    assert "no finished run in gone/: train one with `crossmodal ave fit`" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--data.broken", "raise"], "leave such files out by broken='skip'"),
        (
            ["--data.segments", "5"],
            "--data.segments 5, but guidance over the clip is built for [4]: add --model.temporal",
        ),
        (
            ["--training", "crossmodal.recipes.ave.released_training.released_training"],
            "sets model.gate_loss, which `crossmodal classify fit` does not have",
        ),
        (["--data.labels", "own/none.csv"], "there is no file own/none.csv"),
        (["--data.folder", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_what_does_not_go_is_refused_in_words_before_a_run_begins(lab, words, told):
    folder, _ = lab
    said = crossmodal(folder, "classify", "fit", "--name", "refused", *OWN, *SHORT, *words)
    assert said.code in (1, 2)
    assert told in said.err
    assert not (folder / "runs/refused").exists()


@pytest.mark.slow
def test_the_built_in_world_has_a_label_a_clip_too(tmp_path):
    small = ["--data.clips=2", "--data.held_out=2", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
    said = crossmodal(tmp_path, "classify", "fit", "--name", "world", *small)
    assert said.code == 0, said.err
    assert len(rows_of(tmp_path / "runs/world/predictions.csv")) == 2


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return tiny_classes().eval()


def test_the_head_is_a_linear_layer_on_the_mean_of_normalised_features(model):
    clip = World("test", clips=1)[0]
    with torch.no_grad():
        visual, audio = model.features(clip)
        parts = [F.layer_norm(part, part.shape[2:]).mean(1) for part in (visual, audio)]
        expected = F.linear(torch.cat(parts, 1), model.head.readout.weight, model.head.readout.bias)
        torch.testing.assert_close(model.score(clip.frames[None], clip.wave[None]), expected)
    decoded = model.predict(expected)
    assert decoded.labels.item() == expected.argmax().item()
    torch.testing.assert_close(decoded.confidence.item(), expected.softmax(1).max().item())


def test_widths_that_do_not_fit_are_named(model):
    with pytest.raises(ValueError, match=r"ClipHead.*visual.*128"):
        model.head(torch.zeros(1, 2, 3), torch.zeros(1, 2, 96))


def test_a_clip_has_one_label():
    assert clip_label(torch.tensor([[3, 1, 3], [0, 0, 0]]), 3).tolist() == [[1], [0]]
    for labels in ([[3, 3]], [[0, 1]]):
        with pytest.raises(ValueError, match="classify: a clip shows no event, or several: it needs one label"):
            clip_label(torch.tensor(labels), 3)


def test_classes_that_lose_all_their_training_clips_are_told(tmp_path):
    table = write_videos(tmp_path / "own", files=4)
    table.write_text(table.read_text().replace("start,end", "start,end,split").replace(",3\n", ",3,train\n"))
    with table.open("a") as opened:
        opened.write("lost.mp4,pink,,,train\nclip9.mp4,red,,,val\nclip8.mp4,red,,,test\n")
    for name in ("clip9", "clip8"):
        (tmp_path / f"own/videos/{name}.mp4").write_bytes((tmp_path / "own/videos/clip00.mp4").read_bytes())
    data = FolderSource(tmp_path / "own/videos", table, broken="skip")
    data.preprocess = TINY
    data.split(None).prepare()
    said = data.ready()
    assert "train has no clip of pink: what a model says of them is a guess" in said
    assert "val has no file of blue (2), pink (1) (files in all)" in said


@pytest.mark.slow
def test_files_are_decoded_in_processes_of_their_own(tmp_path):
    table = write_videos(tmp_path / "own", files=17)
    (tmp_path / "own/videos/clip03.mp4").write_text("no film")
    data = ClipFolderSource(tmp_path / "own/videos", table)
    data.preprocess = TINY
    said = data.ready()
    assert "left out: 1 clips, for 1 files cannot be had" in said
    assert list(in_processes(None, [])) == []
    assert not data.split(None).undecoded
