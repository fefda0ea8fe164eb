"""Cached features are those of the data as they are now, whatever was edited since; what did not change is kept."""

import os
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from films import film
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from crossmodal.data import Clip, Preprocess
from crossmodal.data.folder.source import FolderSource
from crossmodal.data.published_tables import SPLITS
from crossmodal.data.source import AVESource, Source, WorldSource
from crossmodal.data.stamps import file_stamp, item_stamp, short_digest
from crossmodal.tasks.feature_inputs import FeatureSource, extract_features
from crossmodal.tasks.task import Features
from crossmodal.testing.ave_layout import write_ave

RATE = 8_000
CLASSES = ("one", "two")


class Mean(nn.Module):
    """Mean of a segment, per channel or of the sound, `heads` times as large: no weight shows it."""

    def __init__(self, dims, heads=1):
        super().__init__()
        self.dims, self.heads = dims, heads

    def forward(self, segments):
        return self.heads * segments.mean(self.dims)


def extractors(heads=1):
    return Features(Preprocess(size=8, rate=RATE), Mean((2, 3), heads), Mean((1,)), "means")


def written(root):
    write_ave(
        root, {"train": 2, "val": 1, "test": 1}, classes=CLASSES, frames=10, size=(8, 8), wave_rate=RATE
    )  # fmt: skip


def of_train(root):
    """Fields of the first training row."""
    return (root / "trainSet.txt").read_text().splitlines()[0].split("&")


def relabel(root):
    old = of_train(root)
    new = [CLASSES[1 - CLASSES.index(old[0])], *old[1:]]
    for name in ("Annotations.txt", "trainSet.txt"):
        (root / name).write_text((root / name).read_text().replace("&".join(old), "&".join(new)))


def repaint(root):
    file = root / "frames" / of_train(root)[1] / "00000003.jpg"
    Image.fromarray(255 - np.array(Image.open(file))).save(file)
    later(file)


def silence(root):
    file = root / "wave" / f"{of_train(root)[1]}.npy"
    np.save(file, np.load(file) * np.float32(0.5))
    later(file)


def another_order_of_classes(root):
    (root / "categories.txt").write_text("\n".join(reversed((root / "categories.txt").read_text().split())) + "\n")


def nothing(root):
    """The same bytes, moved away and back."""
    (root / "wave").rename(root / "waves")
    (root / "waves").rename(root / "wave")


def later(file):
    # two writes in one tick of the clock of the file system are one time of change
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))


EDITS = {relabel: 1, repaint: 1, silence: 1, another_order_of_classes: 4, nothing: 0}


def opened(root, cache, heads=1):
    source = AVESource(root, wave_rate=RATE)
    inputs = extractors(heads)
    source.preprocess = inputs.preprocess
    return FeatureSource(source, inputs, cache)


def check(source, live):
    """Cached items are the live ones; returns how many were extracted."""
    *_, said = source.ready()
    for split in SPLITS:
        fresh, found = live.split(split), source.split(split)
        assert found.names == fresh.names
        for index in range(len(fresh)):
            clip = fresh[index]
            expected = extract_features(Clip(clip.frames[None], clip.wave[None]), source.inputs)
            assert torch.equal(found[index].frames, expected.frames[0])
            assert torch.equal(found[index].wave, expected.wave[0])
            assert torch.equal(found[index].labels, clip.labels)
    return said


@settings(max_examples=3)
@given(st.lists(st.sampled_from(sorted(EDITS, key=lambda edit: edit.__name__)), min_size=2, max_size=3))
def test_features_and_labels_are_of_the_data_as_they_are(edits):
    with TemporaryDirectory() as folder:
        root, cache = Path(folder) / "AVE", Path(folder) / "cache"
        written(root)
        first = opened(root, cache)
        assert check(first, first.source).endswith("/: 4 clips extracted")
        for edit in edits:
            before = len(first.cache.names())
            edit(root)
            source = opened(root, cache)
            said = check(source, source.source)
            assert len(source.cache.names()) - before <= EDITS[edit]
            new = len(source.cache.names()) - before
            words = f", {new} of them anew: their media, labels or options changed" if new else ""
            assert said.endswith(f"/: {new} clips extracted{words}")


def test_another_setting_of_an_extractor_without_weights_is_another_cache(tmp_path):
    written(tmp_path / "AVE")
    for heads in (1, 2):
        source = opened(tmp_path / "AVE", tmp_path / "cache", heads)
        assert check(source, source.source).endswith("/: 4 clips extracted")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def folder_source(root, **options):
    source = FolderSource(root / "videos", root / "labels.csv", cache=root / "clips", **options)
    inputs = extractors()
    source.preprocess = inputs.preprocess
    return FeatureSource(source, inputs, root / "cache")


def test_a_replaced_film_other_seconds_other_rows_and_another_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr("crossmodal.data.folder.source.in_processes", map)
    (tmp_path / "videos").mkdir()
    pictures = tuple(Fraction(index, 2) for index in range(8))
    for name in "abc":
        film(tmp_path / f"videos/{name}.mkv", codecs=("ffv1", "flac"), picture=pictures, sound=(0, 4), rate=8_000)
    rows = "file,label,start,end,split\na.mkv,one,0,2,train\nb.mkv,two,1,3,val\nc.mkv,one,0,1,test\n"
    (tmp_path / "labels.csv").write_text(rows)
    source = folder_source(tmp_path, segments=3)
    assert check(source, source.source).endswith("/: 3 clips extracted")
    assert " at 0x" not in source.source.split("train").stamp(0)  # the same in every process
    (tmp_path / "labels.csv").write_text(rows.replace("b.mkv,two,1", "b.mkv,two,2"))
    source = folder_source(tmp_path, segments=3)
    assert "/: 1 clips extracted, 1 of them anew" in check(source, source.source)
    film(tmp_path / "videos/a.mkv", codecs=("ffv1", "flac"), picture=pictures, sound=(1, 4), rate=8_000)
    source = folder_source(tmp_path, segments=3)
    assert "/: 1 clips extracted, 1 of them anew" in check(source, source.source)
    source = folder_source(tmp_path, segments=2)
    assert "/: 3 clips extracted, 3 of them anew" in check(source, source.source)
    monkeypatch.setattr("crossmodal.data.folder.cache.decoder_versions", lambda: "PyAV of next year")
    source = folder_source(tmp_path, segments=2)
    assert "/: 3 clips extracted, 3 of them anew" in check(source, source.source)


class Unstamped(Source):
    """A source of a user's own, whose items say nothing of what they are made of."""

    def __init__(self, shade):
        super().__init__()
        self.shade = shade

    def split(self, name):
        inner = WorldSource(clips=1, held_out=1)
        inner.preprocess = self.preprocess
        world, shade = inner.split(name), self.shade

        class Shaded:
            classes, names = world.classes, world.names

            def __len__(self):
                return len(world)

            def __getitem__(self, index):
                clip = world[index]
                return clip._replace(frames=clip.frames * shade)

        return Shaded()


def test_items_without_a_stamp_are_known_by_their_content(tmp_path):
    for shade, words in ((1.0, "3 clips extracted"), (1.0, "0 clips extracted"), (0.5, "3 clips extracted, 3 of them")):
        source = Unstamped(shade)
        inputs = Features(Preprocess(size=8, rate=16_000), Mean((2, 3)), Mean((1,)), "means")
        source.preprocess = inputs.preprocess
        found = FeatureSource(source, inputs, tmp_path)
        assert words in check(found, source)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=2))
def test_a_content_stamp_is_equal_where_content_is(values):
    one, two = ({"a": (torch.tensor(first), second)} for first, second in values)
    assert (item_stamp([one], 0) == item_stamp([two], 0)) == (values[0] == values[1])


def test_a_name_of_any_bytes_has_a_stamp(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.npy")
    before = file_stamp(file)
    file.touch()
    assert before == "missing" != file_stamp(file)
    assert len(short_digest(str(file))) == 16


@pytest.mark.parametrize("source", [WorldSource(clips=2, held_out=1), WorldSource(clips=2, held_out=1, seed=1)])
def test_worlds_are_known_by_what_draws_them(source):
    stamps = {item_stamp(source.split(split), index) for split in ("train", "test") for index in range(1)}
    assert len(stamps) == 2
    other = WorldSource(clips=2, held_out=1, seed=2).split("train")
    assert item_stamp(other, 0) not in stamps
