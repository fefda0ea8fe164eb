"""LLP's layout through the command line: videos prepared, a system trained, tested, compared, and a clip predicted."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from commands import crossmodal
from films import film
from golden_baselines import state
from llp_folder import NAMES, write_features, write_tables
from torch import nn

from crossmodal.data import Preprocess
from crossmodal.data.film_windows import MovingPictures
from crossmodal.encoders.by_name import MotionFeatures, motion_features

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


class Brightness(nn.Module):
    """Stands for R(2+1)D-18: the mean brightness of a second's pictures, 512 times."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, pictures):
        return (self.scale * pictures.mean((1, 2, 3, 4)))[:, None].expand(-1, 512)


@pytest.fixture
def motion(monkeypatch):
    """A network for motion that takes no time; lists what it was asked for."""
    asked = []

    def build(weights):
        asked.append(weights)
        return MotionFeatures(Brightness(), MovingPictures(Preprocess(8), 2))

    monkeypatch.setattr("crossmodal.encoders.by_name.motion_features", build)
    monkeypatch.setattr("crossmodal.cli.predict.motion_features", build)
    return asked


def test_motion_is_made_of_films_by_prepare_and_by_predict(folder, motion):
    (folder / "weights.pth").write_bytes(b"any")
    prepare = ("avvp", "prepare", "videos", "moving", "--workers", "0", "--motion", "weights.pth")
    assert crossmodal(folder, *prepare).code == 0
    feats = folder / "moving/LLP_dataset/feats/r2plus1d_18"
    found = {file.stem: np.load(file) for file in feats.iterdir()}
    assert {name: (of.shape, of.dtype) for name, of in found.items()} == dict.fromkeys(
        {name[:11] for names in NAMES.values() for name in names}, ((10, 512), np.dtype("float32"))
    )
    assert len({float(of[second, 0]) for of in found.values() for second in range(3)}) == 3  # a colour a second
    before = {file.name: file.stat().st_mtime_ns for file in feats.iterdir()}
    assert crossmodal(folder, *prepare).code == 0  # nothing is made again
    assert {file.name: file.stat().st_mtime_ns for file in feats.iterdir()} == before
    (folder / "weights.pth").write_bytes(b"others")
    assert crossmodal(folder, *prepare).code == 0
    assert all(file.stat().st_mtime_ns != before[file.name] for file in feats.iterdir())
    assert len(motion) == 2

    options = [*SMALL, "--data.root=moving", "--model.head.depths=[1,1,1]", "--model.motion=512"]
    assert crossmodal(folder, "avvp", "fit", "--name", "moving", *options).code == 0
    film(folder / "brief.mp4", picture=tuple(Fraction(index, 4) for index in range(13)), sound=(0, 3))
    ask = ("avvp", "predict", "brief.mp4", "--run", "runs/moving", "--no-pages")
    assert "`avvp predict --motion WEIGHTS` makes them of a film" in crossmodal(folder, *ask).err
    said = crossmodal(folder, *ask, "--motion", "weights.pth")
    assert said.code == 0, said.err


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match="import_torchvision"):
        motion_features(tmp_path / "other.pth")
