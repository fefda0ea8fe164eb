"""`crossmodal ave features`: a row a segment, what is refused, and what a killed run leaves."""

import contextlib
import csv
import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from commands import crossmodal
from film_zoo import Kind
from safetensors.torch import load_file
from torch import nn

from crossmodal.checkpoints import read_header
from crossmodal.checkpoints.adapter_file import write_adapter_file
from crossmodal.cli.features import feature_rows
from crossmodal.data import AVE, Clip
from crossmodal.data.film_windows import film_windows
from crossmodal.data.many_videos.clip_sources import clip_sources, clip_stamp
from crossmodal.tasks import ave
from crossmodal.tasks.coupled_system import Pooled
from crossmodal.testing.ave_layout import write_ave
from crossmodal.training.run import load_run


def table(file):
    with h5py.File(file) as opened:
        return {
            "visual": opened["visual"][:],
            "audio": opened["audio"][:],
            "rows": list(zip(opened["clip"].asstr()[:].tolist(), opened["segment"][:].tolist(), strict=True)),
            "attributes": dict(opened.attrs),
            "stamps": opened["stamp"].asstr()[:].tolist(),
        }


def features(folder, *words):
    return crossmodal(folder, "ave", "features", *words, "--run", "runs/first", "--workers", "0")


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Every run is built once: these tests run the command on it many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossmodal.cli.features.load_run", cache(load_run))
        yield


@pytest.fixture(scope="module")
def films(lab):
    """Films of 1, 2 and 12 seconds, and a cut one, in `videos/` beside the run; their features in `whole.h5`."""
    folder, _ = lab
    (folder / "videos").mkdir()
    for name, seconds in (("b", 12), ("a", 2), ("ä-1", 1)):
        Kind(f"{name}.mkv", "mpeg4", "flac", rate=8_000, seconds=seconds).write(folder / "videos")
    cut = Kind("cut.mkv", "mpeg4", "flac", rate=8_000, seconds=2).write(folder / "videos")
    shutil.copy(cut, folder / "uncut.mkv")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    return folder, features(folder, "videos", "whole.h5")


@pytest.fixture(scope="module")
def model(films):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(films[0])
        return load_run(Path("runs/first"), ave.TASK)[0]


def test_a_row_is_what_the_model_makes_of_that_second(films, model):
    folder, _ = films
    found = table(folder / "whole.h5")
    assert found["rows"] == [(name, second) for name, n in (("a", 2), ("b", 12), ("ä-1", 1)) for second in range(n)]
    row = 0
    for name in ("a", "b", "ä-1"):
        for window in film_windows(folder / f"videos/{name}.mkv", model.preprocess):  # as predict reads it
            wanted = model.features(window)
            rows = slice(row, row := row + len(window.frames))
            np.testing.assert_array_equal(found["visual"][rows], wanted.visual[0].numpy())
            np.testing.assert_array_equal(found["audio"][rows], wanted.audio[0].numpy())
    assert row == len(found["visual"]) == len(found["audio"]) == 15


def test_what_failed_is_listed_and_told(films):
    folder, said = films
    assert said.code == 3
    assert said.lines[0] == "ave features: 4 clips of videos/ → whole.h5, by runs/first"
    assert said.lines[-1] == "features of 3 of 4 clips, 15 rows, 1 failed: see whole.failed.csv"
    assert said.lines[-2].startswith("waiting            ")
    assert "4/4" in said.err
    with (folder / "whole.failed.csv").open(newline="", encoding="utf-8") as opened:
        (row,) = csv.DictReader(opened)
    assert row["file"] == "cut.mkv"
    assert "is cut" in row["reason"]


def test_the_file_tells_where_its_rows_come_from(films, model):
    attributes = table(films[0] / "whole.h5")["attributes"]
    assert set(attributes) == {
        "run", "system", "classes", "frozen", "adapters", "preprocess", "videos", "version"
    }  # fmt: skip
    assert (attributes["run"], attributes["system"]) == ("runs/first", "dg_sct")
    assert f'"rate": {model.preprocess.rate}' in attributes["preprocess"]


def test_a_failed_clip_is_tried_again_and_the_others_are_not(films, monkeypatch):
    folder, _ = films
    shutil.copytree(folder / "videos", folder / "mended")
    features(folder, "mended", "mended.h5")
    shutil.copy(folder / "uncut.mkv", folder / "mended/cut.mkv")
    read = []
    monkeypatch.setattr(
        "crossmodal.data.many_videos.clip_sources.film_windows",
        lambda file, *_: read.append(file.name) or film_windows(file, *_),
    )
    said = features(folder, "mended", "mended.h5")
    assert (said.code, said.lines[-1]) == (0, "features of 4 of 4 clips, 17 rows")
    assert read == ["cut.mkv"]
    assert not (folder / "mended.failed.csv").exists()
    features(folder, "mended", "at-once.h5")
    assert (folder / "mended.h5").read_bytes() == (folder / "at-once.h5").read_bytes()


def test_a_changed_film_is_extracted_anew_and_a_broken_one_has_no_rows(films):
    folder, _ = films
    shutil.copytree(folder / "videos", folder / "edited")
    features(folder, "edited", "edited.h5")
    before = table(folder / "edited.h5")
    shutil.copy(folder / "edited/ä-1.mkv", folder / "edited/a.mkv")  # another film under an old name
    later(folder / "edited/a.mkv")
    said = features(folder, "edited", "edited.h5")
    assert "anew: 1 clips, for they, an option or the decoder changed: a" in said.lines
    found = table(folder / "edited.h5")
    assert found["rows"] == [row for row in before["rows"] if row != ("a", 1)]
    np.testing.assert_array_equal(found["visual"][0], found["visual"][-1])  # of a, and of ä-1
    np.testing.assert_array_equal(found["visual"][1:], before["visual"][2:])
    assert found["stamps"][1:] == before["stamps"][2:]
    assert found["stamps"][0] != before["stamps"][0]
    shutil.copy(folder / "edited/cut.mkv", folder / "edited/b.mkv")
    assert features(folder, "edited", "edited.h5").lines[-1].startswith("features of 2 of 4 clips, 2 rows, 2 failed")
    assert {name for name, _ in table(folder / "edited.h5")["rows"]} == {"a", "ä-1"}


def test_rows_of_an_earlier_version_are_kept_and_told(films):
    folder, _ = films
    shutil.copy(folder / "whole.h5", folder / "old.h5")
    with h5py.File(folder / "old.h5", "r+") as opened:
        del opened["stamp"]
    said = features(folder, "videos", "old.h5")
    assert any(line.startswith("kept: 3 clips of an earlier version, which kept no record") for line in said.lines)
    assert said.lines[-1].startswith("features of 3 of 4 clips, 15 rows")


@pytest.mark.parametrize("rate", [32_000, 16_000])
def test_another_rate_of_the_waves_is_another_stamp(tmp_path, rate):
    write_ave(tmp_path, {"train": 1, "val": 1, "test": 1}, frames=10, size=(8, 8), wave_rate=8_000)
    (source, *_), _ = clip_sources(tmp_path, None)
    assert (clip_stamp(source, rate, 10) == clip_stamp(source, 32_000, 10)) == (rate == 32_000)
    assert clip_stamp(source, rate, 5) != clip_stamp(source, rate, 10)


@pytest.mark.parametrize("layout", [False, True])
def test_a_name_that_is_no_utf_8_is_listed_and_the_rest_is_done(films, tmp_path, layout):
    folder, _ = films
    odd, place = os.fsdecode(b"caf\xe9"), tmp_path / "odd"
    if layout:
        write_ave(place, {"train": 1, "val": 1, "test": 1}, frames=10, size=(8, 8))
        (place / "frames/-val00000").rename(place / "frames" / odd)
        (place / "wave/-val00000.npy").rename(place / "wave" / f"{odd}.npy")
    else:
        place.mkdir()
        shutil.copy(folder / "videos/ä-1.mkv", place / "whole.mkv")
        shutil.copy(folder / "videos/ä-1.mkv", place / f"{odd}.mkv")
        (place / f"{odd}.txt").touch()
    for _ in range(2):
        said = features(folder, str(place), str(tmp_path / "odd.h5"))
        assert said.code == 3, said.err
        assert "1 failed: see" in said.lines[-1]
    listed = (tmp_path / "odd.failed.csv").read_text("utf-8")
    assert "caf\\xe9" in listed
    assert "rename the file" in listed
    assert all(name.isascii() for name, _ in table(tmp_path / "odd.h5")["rows"])


def later(file):
    """Moves the time of change on: two writes may fall into one tick of the file system's clock."""
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


class Killed(BaseException):
    """Nothing catches it: what runs stops here."""


@pytest.mark.parametrize(
    ("call", "after"),
    [*(("os.replace", after) for after in (0, 2, 4, 5)), ("shutil.rmtree", 0), ("h5py.File.create_dataset", 2)],
)
def test_stopped_before_any_write_and_run_again(films, monkeypatch, call, after):
    folder, _ = films
    out, calls = folder / f"{call}{after}.h5", iter(range(after))
    module, *owner, name = call.split(".")
    target = getattr(sys.modules[module], owner[0]) if owner else sys.modules[module]
    write = getattr(target, name)

    def killed(*args, **kwargs):
        if next(calls, None) is None:
            raise Killed
        return write(*args, **kwargs)

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(target, name, killed)
        features(folder, "videos", out.name)
    assert features(folder, "videos", out.name).code == 3
    assert out.read_bytes() == (folder / "whole.h5").read_bytes()
    assert not list(folder.glob(f"*{out.name}*part*"))


@pytest.mark.slow
def test_killed_by_the_system_and_run_again(films):
    folder, _ = films
    out = folder / "killed.h5"
    words = ["ave", "features", "videos", out.name, "--run", "runs/first"]
    script = Path(sys.executable).with_name("crossmodal")
    running = subprocess.Popen([script, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len([*folder.glob(f"{out.name}.parts/*.safetensors")]) < 1 and not out.exists():
        assert running.poll() is None
        time.sleep(0.001)
    running.kill()
    running.wait()
    said = features(folder, "videos", out.name)
    assert said.code == 3, said.err
    again, whole = table(out), table(folder / "whole.h5")
    assert again["rows"] == whole["rows"]
    for name in ("visual", "audio"):  # the other process may have had another number of threads
        np.testing.assert_allclose(again[name], whole[name], rtol=1e-4, atol=1e-5)


class Means(nn.Linear):
    """Pools a second to the mean of its frame and of its wave."""

    def features(self, clip):
        return Pooled(clip.frames.mean((2, 3))[None], clip.wave.mean(1, keepdim=True)[None])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_a_clip_is_read_in_the_precision_of_the_model(dtype):
    clip = Clip(torch.full((1, 3, 4, 4), 0.1), torch.full((1, 8), 0.1))
    found = feature_rows(Means(1, 1).to(dtype), [clip])
    assert found["audio"].dtype == (np.float64 if dtype == torch.float64 else np.float32)
    assert found["audio"].item() == torch.tensor(0.1).to(dtype).item()


def test_a_clip_of_which_the_model_makes_no_number_is_a_failure():
    whole = [Clip(torch.ones(10, 3, 4, 4), torch.ones(10, 8)), Clip(torch.ones(2, 3, 4, 4), torch.ones(2, 8))]
    assert {name: rows.shape for name, rows in feature_rows(Means(1, 1), whole).items()} == {
        "visual": (12, 3),
        "audio": (12, 1),
    }
    whole[1].wave[1, 0] = float("nan")
    assert "the batch holds it already: 'wave' of its items 1. Mend" in feature_rows(Means(1, 1), whole).reason


def test_weights_of_another_run_are_refused(films):
    folder, _ = films
    shutil.copytree(folder / "runs/first", folder / "runs/moved", dirs_exist_ok=True)
    words = ["ave", "features", "videos", "whole.h5", "--workers", "0", "--run"]
    assert crossmodal(folder, *words, "runs/moved").code == 3  # the same weights, elsewhere
    moved, header = folder / "runs/moved/adapters.safetensors", read_header(folder / "runs/first/adapters.safetensors")
    state = {name: value + 1 if value.is_floating_point() else value for name, value in load_file(moved).items()}
    write_adapter_file(moved, {name: said for name, said in header.items() if name != "version"}, state)
    before = (folder / "whole.h5").read_bytes()
    said = crossmodal(folder, *words, "runs/moved")
    assert said.code == 1
    assert "ave features: whole.h5 is of another run or folder (adapters: '" in said.err
    assert "give another file" in said.err
    assert (folder / "whole.h5").read_bytes() == before


def test_other_clips_and_other_files_are_refused(films, tmp_path):
    folder, _ = films
    shutil.copytree(folder / "videos", folder / "fewer")
    assert features(folder, "fewer", "fewer.h5").code == 3
    said = features(folder, "videos", "fewer.h5")
    assert said.code == 1
    assert "is of another run or folder (videos: '" in said.err
    (folder / "fewer/b.mkv").unlink()
    said = features(folder, "fewer", "fewer.h5")
    assert said.code == 1
    assert "fewer.h5 has 1 clips that are not asked for, the first 'b': give another file" in said.err
    (folder / "text.h5").write_text("text")
    assert "text.h5 is there, and no HDF5 file" in features(folder, "videos", "text.h5").err


def test_of_a_data_set_all_clips_or_those_of_a_split(films, model):
    folder, _ = films
    write_ave(folder / "AVE", {"train": 2, "val": 1, "test": 2})
    (folder / "AVE/wave/-val00000.npy").unlink()
    said = features(folder, "AVE", "all.h5")
    assert (said.code, said.lines[-1]) == (3, "features of 4 of 5 clips, 40 rows, 1 failed: see all.failed.csv")
    assert '-val00000,"read_wave: the wave AVE/wave/-val00000.npy is missing' in (folder / "all.failed.csv").read_text()
    assert features(folder, "AVE", "test.h5", "--split", "test").code == 0
    found, data = table(folder / "test.h5"), AVE(folder / "AVE", "test", model.preprocess)
    assert [clip for clip, _ in found["rows"]] == [clip for clip in sorted(data.videos) for _ in range(10)]
    wanted = model.features(Clip(*data[data.videos.index("-test00001")][:2]))
    np.testing.assert_array_equal(found["visual"][10:], wanted.visual[0].numpy())
    said = features(folder, "videos", "split.h5", "--split", "test")
    assert said.code == 1
    assert "--split test is of a data set in AVE's layout, and videos/ has no frames/ and wave/" in said.err


def test_without_h5py_the_extra_is_named(films, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    said = features(films[0], "videos", "none.h5")
    assert said.code == 1
    assert "crossmodal ave features needs the module 'h5py'" in said.err
