"""`crossmodal TASK predict` on many films: tables and pages, resuming, failures, and what is refused."""

import csv
import json
import re
import shutil
from fractions import Fraction

import pytest
from commands import crossmodal
from films import film

from crossmodal.cli.predict import named_films


@pytest.fixture
def films(tmp_path, clip):
    """A folder with two films, one whose sound is no number, a file that is none, and a text."""
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(clip(1.0), folder / "one.mp4")
    shutil.copy(clip(3.0), folder / "three.mp4")
    (folder / "broken.mp4").write_text("not a film")
    picture = tuple(Fraction(index, 10) for index in range(10))
    film(folder / "nan.mkv", codecs=("mpeg4", "pcm_f32le"), picture=picture, sound=(0, 1), amplitude=float("nan"))
    (folder / "notes.txt").write_text("of mine")
    return folder


def rows_of(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_a_folder_gets_tables_and_goes_on_where_it_was_ended(lab, films, tmp_path):
    """As one by one; a second command reads nothing again but what failed and what has changed."""
    out, run = tmp_path / "out", lab[0] / "runs/first"
    ask = ("ave", "predict", films, "--run", run, "--out", out, "--batch_size", 2)
    said = crossmodal(lab[0], *ask, "--no-pages")
    assert said.code == 3, said.err
    assert "left alone, no videos by their names: notes.txt" in said.out
    assert "predictions for 2 of 4 films" in said.out
    assert re.search(r"^waiting            \d+ % of the time, for films$", said.out, re.MULTILINE)
    broken, nan = rows_of(out / "predictions.failed.csv")
    assert (broken["file"], nan["file"]) == ("broken.mp4", "nan.mkv")
    assert "holds NaN or infinite samples at 0.00 s" in nan["reason"]
    table = rows_of(out / "predictions.csv")
    assert [(row["film"], row["second"]) for row in table] == [
        ("one.mp4", "0"),
        *(("three.mp4", str(s)) for s in range(3)),
    ]
    assert not (out / "three.html").exists()

    alone = crossmodal(lab[0], "ave", "predict", films / "three.mp4", "--run", run, "--out", tmp_path / "alone.html")
    assert alone.code == 0, alone.err
    own = json.loads((tmp_path / "alone.json").read_text())
    together = json.loads((out / "three.json").read_text())
    assert [row["event"] for row in own["rows"]] == [row["event"] for row in together["rows"]]
    for one, other in zip(own["rows"], together["rows"], strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)
    assert rows_of(tmp_path / "alone.csv") == table[1:]
    assert "<html" in (tmp_path / "alone.html").read_text()

    (films / "broken.mp4").unlink()
    (films / "nan.mkv").unlink()
    shutil.copy(films / "one.mp4", films / "other.mp4")
    (out / "three.json").write_text("{")  # a machine that went down while it wrote
    kept = (out / "one.json").stat().st_mtime_ns
    again = crossmodal(lab[0], *ask, "--no-pages")
    assert again.code == 0, again.err
    assert "predictions for 3 of 3 films, 1 of them before" in again.out
    assert (out / "one.json").stat().st_mtime_ns == kept
    assert not (out / "predictions.failed.csv").exists()
    assert {row["film"] for row in rows_of(out / "predictions.csv")} == {"one.mp4", "other.mp4", "three.mp4"}
    (films / "other.mp4").unlink()
    assert "1 of them before" not in crossmodal(lab[0], *ask).out  # now with pages, which are missing
    assert (out / "three.html").is_file()
    assert (out / "one.html").is_file()
    assert "2 of them before" in crossmodal(lab[0], *ask).out


def test_the_words_of_a_command_are_films_first(tmp_path):
    (tmp_path / "folder").mkdir()
    a, b = tmp_path / "a.mp4", tmp_path / "folder/b.mp4"
    for file in (a, b):
        file.touch()
    assert named_films([a, str(tmp_path / "folder"), "How many?", "Where?"]) == ([a, b], ["How many?", "Where?"], [])
    assert named_films([tmp_path / "gone.mp4"]) == ([tmp_path / "gone.mp4"], [], [])
    (tmp_path / "a.avi").touch()
    with pytest.raises(ValueError, match=r"a\.mp4 and .*a\.avi share the name 'a'"):
        named_films([a, str(tmp_path / "a.avi")])


@pytest.mark.parametrize("out", ["found.json", "found.CSV"])
def test_a_page_is_no_record_and_no_table(lab, clip, tmp_path, out):
    asked = ("ave", "predict", clip(1.0), "--run", "runs/first", "--out", tmp_path / out)
    said = crossmodal(lab[0], *asked)
    assert said.code == 1
    assert f"--out {tmp_path / out} names the page" in said.err
    assert f"give {tmp_path / 'found.html'}." in said.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
@pytest.mark.parametrize("verb", [("predict", "a.mp4"), ("features", "films", "a.h5"), ("look",), ("figure",)])
def test_a_device_that_is_none_is_named_before_anything_is_read(tmp_path, verb, device):
    said = crossmodal(tmp_path, "ave", *verb, "--device", device)
    assert said.code == 1
    assert f"crossmodal: ave {verb[0]}: --device {device} cannot be used: " in said.err


@pytest.mark.parametrize("verb", ["look", "figure"])
def test_two_runs_are_not_one(tmp_path, verb):
    said = crossmodal(tmp_path, "ave", verb, "runs/a", "--run", "runs/b")
    assert (said.code, said.err) == (1, f"crossmodal: ave {verb}: runs/a and --run runs/b are two runs: name one.\n")
    said = crossmodal(tmp_path, "ave", verb, "runs/a", "--run", "runs/a")
    assert "run runs/a has no adapters.safetensors" in said.err


def test_a_second_film_that_is_not_there_is_told(lab, clip):
    said = crossmodal(lab[0], "ave", "predict", clip(1.0), "gone.mp4", "--run", "runs/first")
    assert (said.code, "gone.mp4" in said.err) == (1, True)
