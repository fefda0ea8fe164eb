"""Question answering through the command line: two trainings in one command that resumes, and a film that is asked."""

import json
from fractions import Fraction

import golden_questions
import pytest
import torch
from commands import crossmodal
from films import film
from music_folder import ROWS, published_rows, write_features, write_media, write_questions
from safetensors.torch import save_file

SMALL = [
    "--data.batch_size=2",
    "--trainer.max_epochs=1",
    "--trainer.enable_progress_bar=false",
    "--model.width=16",
]
WORLD = [*SMALL, "--data.clips=4", "--data.held_out=2"]
GROUNDING = ["--stages.grounding.max_epochs=1", "--stages.grounding.batch_size=2"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A trained ST-AVQA on tiny encoders."""
    folder = tmp_path_factory.mktemp("avqa")
    said = crossmodal(folder, "avqa", "fit", "--system=st_avqa", "--name=first", *WORLD, *GROUNDING, drawn=1)
    assert said.code == 0, said.err
    assert "stage              grounding: 1 epochs" in said.out
    return folder


def test_a_run_is_tested_and_asked(lab):
    summary = json.loads((lab / "runs/first/summary.json").read_text())
    assert set(summary["test"]) == set(summary["chance"])
    assert "question" in (lab / "runs/first/predictions.csv").read_text().splitlines()[0]
    assert (lab / "runs/first/report.html").is_file()
    film(lab / "short.mp4", picture=tuple(Fraction(index, 4) for index in range(13)), sound=(0, 3))
    asked = ["How many sounds are heard?", "where is the red objekt"]
    said = crossmodal(lab, "avqa", "predict", "short.mp4", *asked, "--run", "runs/first")
    assert said.code == 0, said.err
    assert "How many sounds are heard?" in said.out
    assert "Where is the red object?" in said.out
    assert (lab / "runs/first/predictions/short.html").is_file()
    said = crossmodal(lab, "avqa", "predict", "short.mp4", "--run", "runs/first")
    assert said.code == 1
    assert "there is no question: write them behind the video" in said.err


def test_a_stage_that_is_done_is_not_trained_again(lab, monkeypatch):
    from crossmodal.training import fit

    trained, stopping, bounds = [], [], []

    def stops(run, training, *rest, **options):
        trained.append(run.name)
        bounds.append((options["options"]["max_steps"], options["options"]["max_time"]))
        stopping.append(options["options"]["callbacks"][0])
        if run.name == "cut":
            raise KeyboardInterrupt
        return fit.train(run, training, *rest, **options)

    monkeypatch.setattr("crossmodal.training.stages.train", stops)
    monkeypatch.setattr("crossmodal.cli.fit.train", stops)
    early = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val_loss"]
    last = ["--trainer.max_steps=100", "--trainer.max_time=00:01:00:00"]
    said = crossmodal(lab, "avqa", "fit", "--system=st_avqa", "--name=cut", *WORLD, *GROUNDING, *early, *last)
    assert said.code != 0
    assert trained == ["grounding", "cut"]
    assert bounds == [(-1, None), (100, "00:01:00:00")]  # those of the trainer are of the last training
    assert [callback.best_score.isfinite().item() for callback in stopping] == [True, False]  # each has its own
    assert "go on with: crossmodal avqa fit --runs runs --name cut --resume true" in said.err
    stored = torch.load(lab / "runs/cut/stages/grounding/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    monkeypatch.setattr("crossmodal.cli.fit.train", fit.train)
    started = {}

    def starts(run, training, *rest, **options):
        started.update({name: value.clone() for name, value in training.system.head.grounder.state_dict().items()})
        return fit.train(run, training, *rest, **options)

    monkeypatch.setattr("crossmodal.cli.fit.train", starts)
    said = crossmodal(lab, "avqa", "fit", "--name=cut", "--resume=true")
    assert said.code == 0, said.err
    assert trained == ["grounding", "cut"]
    assert all(torch.equal(value, stored[f"system.grounder.{name}"]) for name, value in started.items())
    said = crossmodal(lab, "avqa", "fit", "--name=cut", "--resume=true", "--stages.grounding.max_epochs=2")
    assert said.code == 1
    reason = (
        "run runs/cut cannot be resumed with --stages.grounding.max_epochs 2 (1 before): the stage grounding is done"
    )
    assert reason in said.err


def test_published_features_are_fitted(lab):
    write_features(write_media(write_questions(lab / "music")))
    options = ["--system=st_avqa", "--data.features=music", "--model.visual=music_avqa", "--model.audio=music_avqa"]
    said = crossmodal(lab, "avqa", "fit", "--name=stored", *SMALL, *options, *GROUNDING)
    assert said.code == 0, said.err
    cost = crossmodal(lab, "avqa", "cost", *SMALL, *options)
    assert cost.code == 0, cost.err


def test_released_weights_are_reproduced(lab):
    write_features(write_questions(lab / "published", rows={**ROWS, "train": published_rows()}))
    save_file(golden_questions.state("st_avqa"), lab / "st_avqa.safetensors")
    options = ["--system=st_avqa", "--weights=st_avqa.safetensors", "--data.features=published", "--device=cpu"]
    said = crossmodal(lab, "avqa", "reproduce", *options)
    assert said.code == 0, said.err
    assert "71.5 %  published: all questions of ST-AVQA" in said.out
    assert json.loads((lab / "reproduce/result.json").read_text())["items"] == 2


@pytest.mark.slow  # the tiny encoders in lockstep, twice
def test_coupled_encoders(lab):
    said = crossmodal(lab, "avqa", "fit", "--name=coupled", *SMALL, "--data.clips=12", "--data.held_out=12", *GROUNDING)
    assert said.code == 0, said.err
    for words in (["look", "--figures=1", "--clips=1"], ["figure", "--clips=12", "--train_clips=12"], ["cost"]):
        where = [] if words == ["cost"] else ["--run", "runs/coupled"]
        said = crossmodal(lab, "avqa", *words, *where)
        assert said.code == 0, (words, said.err)
    study = [
        "--without",
        "spatial",
        "--seeds",
        "0",
        "--runs",
        "runs/study",
        "--print-commands",
        "--",
        *WORLD,
        *GROUNDING,
    ]
    said = crossmodal(lab, "avqa", "ablate", *study)
    assert said.code == 0, said.err
