"""AVSBench's layout through the command line: a system trained, tested and drawn, and a film segmented into files."""

import json
from fractions import Fraction

import av
import avs_folder
import numpy as np
import pytest
from commands import crossmodal
from films import film
from PIL import Image

SMALL = ["--data.batch_size=2", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", "--model.channels=8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both parts of the data set."""
    folder = tmp_path_factory.mktemp("avs")
    avs_folder.write_ms3(avs_folder.write_s4(folder / "data", waves="wav"))
    return folder


@pytest.mark.slow  # the reader, the task and the files are tested by themselves
@pytest.mark.parametrize(
    "words",
    [
        ("s4", "dg_sct_s4", "--model.mask_size=32", "--data.mask_size=48"),
        ("ms3", "tpavi", "--model.matching=0.5", "--data.mask_size=64"),
    ],
)
def test_clips_are_fitted_tested_and_segmented(words, folder):
    setting, system, *more = words
    options = [*SMALL, "--data.root=data", f"--data.setting={setting}", f"--system={system}", *more]
    said = crossmodal(folder, "avs", "fit", "--name", setting, *options)
    assert said.code == 0, said.err
    summary = json.loads((folder / f"runs/{setting}/summary.json").read_text())
    assert set(summary["test"]) == set(summary["chance"]) == {"overlap", "f_measure"}
    rows = (folder / f"runs/{setting}/predictions.csv").read_text().splitlines()
    assert len(rows) == 6
    film(folder / "short.mp4", picture=tuple(Fraction(index, 4) for index in range(29)), sound=(0, 7))
    said = crossmodal(folder, "avs", "predict", "short.mp4", "--run", f"runs/{setting}", "--masks", "masks")
    assert said.code == 0, said.err
    assert "7 masks and short_overlay.mp4 in masks/" in said.out
    assert (folder / f"runs/{setting}/predictions/short.html").is_file()
    values = {value for file in (folder / "masks").glob("*.png") for value in np.unique(Image.open(file))}
    assert values <= {0, 255}
    with av.open(str(folder / "masks/short_overlay.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 7
    with av.open(str(folder / "masks/short_overlay.mp4")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) / 44_100 == pytest.approx(7, abs=0.1)
