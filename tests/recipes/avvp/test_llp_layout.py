"""LLP's layout through the command line: videos prepared, a system trained, tested, compared, and a clip predicted."""

import json
from fractions import Fraction

import pytest
import torch
from commands import crossmodal
from films import film
from golden_baselines import state
from llp_folder import NAMES, write_features, write_tables

SMALL = [
    "--data.batch_size=2",
    "--trainer.max_epochs=1",
    "--trainer.enable_progress_bar=false",
    "--model.width=8",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five films of ten seconds with tables, prepared; features beside them."""
    folder = tmp_path_factory.mktemp("llp")
    write_tables(folder / "videos")
    times = tuple(Fraction(index, 2) for index in range(21))
    for name in (name for names in NAMES.values() for name in names):
        film(folder / f"videos/{name}.mp4", picture=times, sound=(0, 10))
    said = crossmodal(folder, "avvp", "prepare", "videos", "data", "--workers", "0")
    assert said.code == 0, said.err
    assert "prepared 5 of 5" in said.out
    write_features(folder / "data")
    return folder


def test_clips_are_fitted_and_tested(folder):
    options = [*SMALL, "--data.root=data", "--model.head.depths=[1,1,1]", "--model.motion=512"]
    said = crossmodal(folder, "avvp", "fit", "--name", "clips", *options)
    assert said.code == 0, said.err
    assert "1 of 2 clips of test have no row in AVVP_eval_visual.csv" in said.out
    summary = json.loads((folder / "runs/clips/summary.json").read_text())
    assert len(summary["test"]) == 10
    assert set(summary["test"]) == set(summary["chance"])


@pytest.mark.parametrize("system", ["han", "mgn"])
def test_a_released_file_is_reproduced(folder, system):
    torch.save(state(system), folder / f"{system}.pt")
    words = ["--weights", f"{system}.pt", "--data.features", "data", "--device", "cpu", "--out", f"of_{system}"]
    said = crossmodal(folder, "avvp", "reproduce", "--system", system, *words)
    assert said.code == 0, said.err
    assert f"{system}, on 2 of 2 items of the test split" in said.out
    found = json.loads((folder / f"of_{system}/result.json").read_text())
    assert found["tensors"]["mapped"] + found["tensors"]["dropped"] == len(state(system))


@pytest.mark.slow  # two runs, a process each
def test_published_features_are_compared(folder):
    options = [*SMALL, "--data.features=data", "--model.visual=llp", "--model.audio=llp"]
    words = ["--systems", "han", "mgn", "--seeds", "0", "--runs", "runs/study", "--", *options]
    said = crossmodal(folder, "avvp", "compare", *words)
    assert said.code == 0, said.err
    assert "54.0" in said.out  # published of HAN
    assert "55.6" in said.out  # and of MGN


def test_a_video_is_predicted_with_extractors_of_ours(folder):
    options = [*SMALL, "--data.clips=4", "--data.held_out=2", "--system=han"]
    assert crossmodal(folder, "avvp", "fit", "--name", "world", *options).code == 0
    film(folder / "short.mp4", picture=tuple(Fraction(index, 4) for index in range(13)), sound=(0, 3))
    said = crossmodal(folder, "avvp", "predict", "short.mp4", "--run", "runs/world")
    assert said.code == 0, said.err
    assert (folder / "runs/world/predictions/short.html").is_file()
