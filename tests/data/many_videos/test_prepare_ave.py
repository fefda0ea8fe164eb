"""`crossmodal ave prepare`: what it makes of films of every kind, what it refuses, and what a killed run leaves."""

import csv
import json
import os
import shutil
import unicodedata

import numpy as np
import pytest
from commands import content, crossmodal
from film_zoo import SKIPPED, WHOLE, Kind, write_broken, write_rows
from films import PLAIN, colour, film, heard, seen, tone

from crossmodal.data import AVE
from crossmodal.data.annotations import ANNOTATION_HEADER
from crossmodal.data.frames import read_jpeg

SECONDS = range(10)


def failures(folder):
    file = folder / "failed.csv"
    if not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8") as opened:
        return {row["file"]: row["reason"] for row in csv.DictReader(opened)}


def size_of(picture):
    """Width and height."""
    return tuple(read_jpeg(picture).shape[:0:-1])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Films of all kinds, some broken, with annotations, prepared; and what the command said."""
    folder = tmp_path_factory.mktemp("zoo")
    (folder / "videos").mkdir()
    for kind in WHOLE:
        kind.write(folder / "videos")
    broken = write_broken(folder / "videos")
    write_rows(folder / "videos", [kind.stem for kind in WHOLE] + ["cut", "never-there"])
    (folder / "videos" / "ReadMe.txt").write_text("films")
    return folder, broken, crossmodal(folder, "ave", "prepare", "videos", "AVE", "--workers", "0")


def test_the_zoo_is_large_enough():
    print("not encoded by this PyAV:", *SKIPPED)
    assert len(WHOLE) >= 30


@pytest.mark.parametrize("kind", WHOLE, ids=lambda kind: kind.name)
def test_every_second_of_every_kind_keeps_its_colour_and_its_tone(prepared, kind):
    folder, _, _ = prepared
    clips = {clip.split: clip for clip in (AVE(folder / "AVE", split, PLAIN) for split in ("train", "val", "test"))}
    data = next(data for data in clips.values() if kind.stem in data.videos)
    clip = data[data.videos.index(kind.stem)]
    assert seen(clip) == [colour(second) for second in SECONDS]
    assert heard(clip) == [tone(second) for second in SECONDS]
    assert size_of(folder / "AVE/frames" / kind.stem / "00000001.jpg") == (
        kind.size[::-1] if kind.turn == 90 else kind.size
    )


def test_what_failed_is_listed_with_its_reason(prepared):
    folder, broken, _ = prepared
    found = failures(folder / "AVE")
    assert set(found) == {*broken, "never-there"}
    for name, words in broken.items():
        assert words in found[name]
    assert found["never-there"] == "named in Annotations.txt, trainSet.txt, but not there."
    for name in broken:
        assert not (folder / "AVE/wave" / name).with_suffix(".npy").exists()


def test_the_last_lines_and_the_exit_code_say_what_is_missing(prepared):
    _, broken, said = prepared
    assert said.code == 3
    whole, all_of_them = len(WHOLE), len(WHOLE) + len(broken)
    assert said.lines[-1] == f"prepared {whole} of {all_of_them}, {len(broken)} failed: see AVE/failed.csv"
    assert said.lines[-2] == "1 videos that the annotations name are not there: see AVE/failed.csv"
    assert f"{all_of_them}/{all_of_them}" in said.err  # the bar
    assert "left alone, no videos by their names: Annotations.txt, ReadMe.txt, testSet.txt, trainSet.txt" in said.out
    assert f"annotations: 4 of {all_of_them} videos have no row: empty, letter, short, …" in said.lines


def test_splits_keep_the_rows_of_clips_that_are_there(prepared):
    folder, _, said = prepared
    originals = {split: (folder / "videos" / f"{split}Set.txt").read_text() for split in ("train", "val", "test")}
    for split, text in originals.items():
        kept = [line for line in text.splitlines(keepends=True) if "&cut&" not in line and "&never-there&" not in line]
        assert (folder / "AVE" / f"{split}Set.txt").read_text() == "".join(kept)
        assert AVE(folder / "AVE", split).check() == {}
    assert (folder / "AVE/Annotations.txt").read_bytes() == (folder / "videos/Annotations.txt").read_bytes()
    lost = len(originals["train"].splitlines())
    assert f"trainSet.txt: 2 of {lost} rows left out, for their clips are missing" in said.lines


@pytest.fixture
def few(tmp_path):
    """Three films in `videos/`."""
    (tmp_path / "videos").mkdir()
    for index in range(3):
        Kind(f"film{index}.mkv", "mpeg4", "flac", rate=8_000, frames_a_second=2 + index).write(tmp_path / "videos")
    return tmp_path


def test_without_annotations_the_clips_are_prepared_and_the_lack_is_told(few):
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert (said.code, said.lines[-1]) == (0, "prepared 3 of 3")
    assert "videos/ has no Annotations.txt, trainSet.txt, valSet.txt, testSet.txt" in said.out
    assert ANNOTATION_HEADER in said.out
    assert not (few / "AVE/failed.csv").exists()
    wave = np.load(few / "AVE/wave/film0.npy", allow_pickle=False)
    assert (wave.shape, wave.dtype) == ((320_000,), np.float32)


def test_processes_make_what_this_one_makes(few):
    for workers in ("0", "2"):
        crossmodal(few, "ave", "prepare", "videos", f"by{workers}", "--workers", workers)
    assert content(few / "by0") == content(few / "by2")


def test_a_finished_clip_is_not_done_again_and_a_failed_one_is(few):
    whole = (few / "videos/film1.mkv").read_bytes()
    (few / "videos/film1.mkv").write_bytes(whole[: len(whole) // 2])
    assert crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0").code == 3
    assert set(failures(few / "AVE")) == {"film1.mkv"}
    before = (few / "AVE/wave/film0.npy").stat()
    (few / "videos/film1.mkv").write_bytes(whole)
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert (said.code, said.lines[-1]) == (0, "prepared 3 of 3")
    assert failures(few / "AVE") == {}
    assert (few / "AVE/wave/film0.npy").stat() == before


def test_a_changed_film_or_another_decoder_makes_a_clip_anew_and_no_other(few, monkeypatch):
    crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    before = {name: (few / f"AVE/wave/film{name}.npy").stat().st_mtime_ns for name in range(3)}
    shutil.copy(few / "videos/film0.mkv", few / "videos/film1.mkv")
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert "made anew: 1 clips, for their films or the decoder changed: film1" in said.lines
    pictures = [content(few / f"AVE/frames/film{name}") for name in (0, 1)]
    assert pictures[0] == pictures[1]
    after = {name: (few / f"AVE/wave/film{name}.npy").stat().st_mtime_ns for name in range(3)}
    assert [name for name in range(3) if after[name] != before[name]] == [1]
    # of a film that is broken now nothing is left, and its rows are gone
    (few / "videos/film2.mkv").write_bytes(b"none")
    assert crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0").code == 3
    assert not (few / "AVE/wave/film2.npy").exists()
    monkeypatch.setattr("crossmodal.data.many_videos.made_from.decoder_versions", lambda: "PyAV of next year")
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert "made anew: 2 clips, for their films or the decoder changed: film0, film1" in said.lines


def test_clips_of_an_earlier_version_are_kept_and_told(few):
    crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    (few / "AVE/made_from.json").unlink()
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert "kept: 3 clips of an earlier version, which kept no record of their films: film0, film1, film2" in said.out


def test_a_name_that_is_no_utf_8_is_listed_and_the_rest_is_prepared(few):
    odd = os.fsdecode(b"caf\xe9")
    (few / "videos/film2.mkv").rename(few / f"videos/{odd}.mkv")
    (few / f"videos/{odd}.txt").touch()
    for _ in range(2):
        said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
        assert (said.code, said.lines[-1]) == (3, "prepared 2 of 3, 1 failed: see AVE/failed.csv")
        assert "caf\\xe9.txt" in said.out
        assert set(failures(few / "AVE")) == {"caf\\xe9.mkv"}


@pytest.mark.parametrize(("table", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_rows_find_films_however_their_letters_are_composed(few, table, disk):
    (few / "videos/film0.mkv").rename(few / "videos" / f"{unicodedata.normalize(disk, 'é')}.mkv")
    row = f"Bark&{unicodedata.normalize(table, 'é')}&good&0&2\n"
    (few / "videos/Annotations.txt").write_text(f"{ANNOTATION_HEADER}\n{row}", encoding="utf-8")
    for split in ("train", "val", "test"):
        (few / f"videos/{split}Set.txt").write_text(row, encoding="utf-8")
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    assert (said.code, said.lines[-1]) == (0, "prepared 3 of 3")
    assert AVE(few / "AVE", "val").check() == {}


def test_size_is_of_the_shorter_side_and_never_enlarges(few):
    for size in (24, 4_000):
        crossmodal(few, "ave", "prepare", "videos", str(size), "--size", size, "--workers", "0")
    assert size_of(few / "24/frames/film0/00000010.jpg") == (32, 24)
    assert content(few / "4000/frames") == content_of_native(few)


def content_of_native(few):
    crossmodal(few, "ave", "prepare", "videos", "native", "--workers", "0")
    return content(few / "native/frames")


def test_a_lower_quality_is_smaller(few):
    sizes = []
    for quality in (95, 20):
        crossmodal(few, "ave", "prepare", "videos", str(quality), "--quality", quality, "--workers", "0")
        sizes.append(sum(map(len, content(few / str(quality) / "frames").values())))
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(("picture", "sound"), [(6.4, 6.4), (10, 6.4), (6.4, 10)])
def test_a_short_clip_is_refused_or_padded(tmp_path, picture, sound):
    (tmp_path / "videos").mkdir()
    times = Kind("", "", "", seconds=picture).picture
    film(tmp_path / "videos/short.mkv", codecs=("ffv1", "flac"), picture=times, sound=(0, sound), rate=16_000)
    said = crossmodal(tmp_path, "ave", "prepare", "videos", "bare", "--workers", "0")
    assert said.code == 3
    assert (
        "has 6.40 s of sound with picture, shorter than a clip of 10 s: --pad"
        in failures(tmp_path / "bare")["short.mkv"]
    )
    assert crossmodal(tmp_path, "ave", "prepare", "videos", "padded", "--pad", "--workers", "0").code == 0
    wave = np.load(tmp_path / "padded/wave/short.npy")
    end = round(sound * 32_000)
    assert np.abs(wave[end - 3_200 : end - 320]).max() > 0.4
    assert np.abs(wave[end:]).max(initial=0.0) == 0
    pictures = [read_jpeg(tmp_path / f"padded/frames/short/{n:08d}.jpg").float() for n in range(1, 11)]
    last = 10 if picture == 10 else 6  # at 6.5 s the last picture, of second 6, is over
    shown = [second if second < last else last - 1 for second in SECONDS]
    assert [picture.mean((1, 2)).div(255).round().tolist() for picture in pictures] == [
        colour(second) for second in shown
    ]


def test_of_a_longer_clip_the_first_ten_seconds_are_read_and_damage_behind_them_is_not(tmp_path):
    (tmp_path / "videos").mkdir()
    file = Kind("long.mkv", "mpeg4", "flac", rate=8_000, seconds=40).write(tmp_path / "videos")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert crossmodal(tmp_path, "ave", "prepare", "videos", "AVE", "--workers", "0").code == 0


def test_two_files_of_one_name_are_refused_before_anything_is_written(few):
    shutil.copy(few / "videos/film0.mkv", few / "videos/film0.avi")
    said = crossmodal(few, "ave", "prepare", "videos", "AVE")
    assert said.code == 1
    assert "videos/ holds film0.avi and film0.mkv: a video's id is its name without suffix, so rename one" in said.err
    assert not (few / "AVE").exists()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Bark&film0&good&0&11\n", "trainSet.txt, line 1: 'Bark&film0&good&0&11': StartTime '0' and EndTime '11'"),
        ("Brak&film0&good&0&1\n", "Did you mean 'Bark'?"),
        (
            "Bark&film0&good&0&1\n",
            "trainSet.txt has 1 rows that Annotations.txt has not, the first 'Bark&film0&good&0&1'",
        ),
    ],
)
def test_annotations_that_do_not_hold_are_refused_before_anything_is_written(few, row, words):
    (few / "videos/Annotations.txt").write_text(f"{ANNOTATION_HEADER}\nBark&film0&good&0&2\n")
    (few / "videos/trainSet.txt").write_text(row)
    said = crossmodal(few, "ave", "prepare", "videos", "AVE")
    assert said.code == 1
    assert words in said.err
    assert not (few / "AVE").exists()


def test_annotations_from_elsewhere(few):
    (few / "rows").mkdir()
    (few / "rows/categories.txt").write_text("one\ntwo\n")
    (few / "rows/Annotations.txt").write_text(f"{ANNOTATION_HEADER}\none&film0&good&0&2\n")
    for place in ("rows", "rows/Annotations.txt"):
        said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--annotations", place, "--workers", "0")
        assert said.code == 0, said.err
        assert "annotations of rows/: 1 rows in Annotations.txt" in said.out
        assert "rows/ has no trainSet.txt, valSet.txt, testSet.txt" in said.out
    assert (few / "AVE/categories.txt").read_text() == "one\ntwo\n"
    assert (
        "--annotations nowhere is no folder"
        in crossmodal(few, "ave", "prepare", "videos", "B", "--annotations", "nowhere").err
    )


def test_a_folder_that_the_command_did_not_make_is_left_alone(few):
    (few / "mine/frames/film0").mkdir(parents=True)
    said = crossmodal(few, "ave", "prepare", "videos", "mine")
    assert (said.code, content(few / "mine")) == (1, {})
    assert "mine holds something that this command did not write: give a new folder" in said.err
    said = crossmodal(few, "ave", "prepare", "videos", "videos")
    assert said.code == 1
    assert "OUT is videos/ itself, which holds the originals" in said.err


def test_a_place_that_cannot_be_written_is_named(few):
    (few / "file").touch()
    said = crossmodal(few, "ave", "prepare", "videos", "file/AVE")
    assert said.code == 1
    assert "file/AVE/ cannot be made: Not a directory; choose another place." in said.err


def test_other_options_for_the_rest_of_a_folder_are_refused(few):
    crossmodal(few, "ave", "prepare", "videos", "AVE", "--workers", "0")
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", "--size", "24")
    assert said.code == 1
    assert 'was begun with {"size": null, "quality": 95, "pad": false}, now asked for {"size": 24' in said.err
    assert json.loads((few / "AVE/prepared.json").read_text())["size"] is None


@pytest.mark.parametrize(
    ("folder", "words"), [("nowhere", "nowhere is no folder"), ("none", "none/ holds no video file")]
)
def test_a_folder_without_videos_is_named(tmp_path, folder, words):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/ReadMe.txt").touch()
    said = crossmodal(tmp_path, "ave", "prepare", folder, "AVE")
    assert said.code == 1
    assert words in said.err


@pytest.mark.parametrize("words", [["--quality", "101"], ["--size", "0"], ["--workers", "-1"]])
def test_numbers_out_of_range_are_refused(few, words):
    said = crossmodal(few, "ave", "prepare", "videos", "AVE", *words)
    assert said.code == 2
    assert f"{words[0]}: {words[1]} must be at least" in said.err
