"""`crossmodal ave prepare --layout features` writes the published files, goes on, and says why not."""

import shutil
from fractions import Fraction

import pytest
import torch
from commands import crossmodal
from films import film

from crossmodal.data import Preprocess
from crossmodal.data.ave_features import AVEFeatures
from crossmodal.data.many_videos import prepare_ave_features
from crossmodal.data.many_videos.prepare_ave_features import Extractors

HEADER = "Category&VideoID&Quality&StartTime&EndTime"
ROWS = {
    "aaaaaaaaaaa": "Bark&aaaaaaaaaaa&good&2&5",
    "bbbbbbbbbbb": "Flute&bbbbbbbbbbb&good&0&10",
    "ccccccccccc": "Cat&ccccccccccc&good&0&3",
    "ddddddddddd": "Bark&ddddddddddd&good&9&10",
}
SETS = {"train": ("ddddddddddd", "aaaaaaaaaaa"), "val": ("bbbbbbbbbbb",), "test": ("ccccccccccc",)}
WORDS = ("ave", "prepare", "videos", "AVE", "--layout", "features", "--visual_weights", "v.h5", "--audio_weights")


@pytest.fixture
def lab(tmp_path, clip, monkeypatch):
    """Four videos, of which one is damaged, their annotations, and extractors that count what they are given."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ROWS:
        shutil.copy(clip(10.0), videos / f"{name}.mp4")
    (videos / "ddddddddddd.mp4").write_bytes(b"no video")
    (videos / "Annotations.txt").write_text("\n".join([HEADER, *ROWS.values()]) + "\n")
    for split, names in SETS.items():
        (videos / f"{split}Set.txt").write_text("".join(f"{ROWS[name]}\n" for name in names))
    for name in ("v.h5", "a.pth"):
        (tmp_path / name).write_bytes(name.encode())
    seen = []

    def visual(images):
        seen.append(len(images))
        return images.mean((1, 2, 3))[:, None, None].expand(-1, 49, 512)

    made = Extractors(visual, lambda wave: wave[:, :128], Preprocess(8, 16_000))
    monkeypatch.setattr(prepare_ave_features, "extractors", lambda *_: made)
    return tmp_path, seen


def test_files_are_those_that_the_reader_takes(lab):
    folder, seen = lab
    said = crossmodal(folder, *WORDS, "a.pth")
    assert said.code == 3, said.err
    assert "features of 3 rows of Annotations.txt, 1 left out: see AVE/failed.csv" in said.out
    assert "ddddddddddd" in (folder / "AVE/failed.csv").read_text()
    train, val = (AVEFeatures(folder / "AVE", split) for split in ("train", "val"))
    assert (train.names, val.names) == (["aaaaaaaaaaa#0"], ["bbbbbbbbbbb#1"])
    assert train[0].labels.tolist() == [28, 28, 2, 2, 2, 28, 28, 28, 28, 28]
    assert seen == [16] * 30
    first = train[0]
    shutil.copy(folder / "videos/aaaaaaaaaaa.mp4", folder / "videos/ddddddddddd.mp4")
    again = crossmodal(folder, *WORDS, "a.pth")
    assert again.code == 0, again.err
    assert len(seen) == 40  # the mended video alone was read
    assert not (folder / "AVE/failed.csv").exists()
    train = AVEFeatures(folder / "AVE", "train")
    assert train.names == ["ddddddddddd#3", "aaaaaaaaaaa#0"]
    assert all(torch.equal(*both) for both in zip(train[1], first, strict=True))
    film(folder / "videos/bbbbbbbbbbb.mp4", picture=tuple(Fraction(index, 5) for index in range(50)), sound=(0, 10))
    changed = crossmodal(folder, *WORDS, "a.pth")
    assert "made anew: 1 clips, for their films or the decoder changed: bbbbbbbbbbb" in changed.lines
    assert len(seen) == 50


def test_what_cannot_be_is_refused(lab):
    folder, seen = lab
    crossmodal(folder, *WORDS, "a.pth")
    (folder / "a.pth").write_bytes(b"others")
    assert "was begun with other weights" in crossmodal(folder, *WORDS, "a.pth").err
    (folder / "videos/valSet.txt").unlink()
    assert "has no valSet.txt: the files hold a row per row" in crossmodal(folder, *WORDS, "a.pth").err
    assert "--layout features2 must be one of" in crossmodal(folder, *WORDS[:5], "features2").err
    assert len(seen) == 30
