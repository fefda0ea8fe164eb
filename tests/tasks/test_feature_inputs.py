"""Systems that read features: extracted once, the same as live, and trained, tested and used like any other."""

import json
from collections import Counter

import pytest
import torch
from commands import SMALL, crossmodal

from crossmodal.data import Clip
from crossmodal.data.asked_clip import AskedClip
from crossmodal.data.asking_sources import AskedWorldSource
from crossmodal.data.source import WorldSource
from crossmodal.tasks.feature_inputs import FeatureSource, extract_features, source_as_read
from crossmodal.tasks.resolve import find_system

MEANS = '''
from torch import nn

from crossmodal.data.world import COLOURS, TINY
from crossmodal.encoders.by_name import audio_backbone, visual_backbone
from crossmodal.heads import EventHead, TemporalAttention, decode_events, event_losses
from crossmodal.injection import freeze
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.task import Features

SETTINGS = Settings(trainer={"max_epochs": 1})


class Mean(nn.Module):
    """Mean over the tokens of a frozen encoder."""

    def __init__(self, encoder, front=None):
        super().__init__()
        self.encoder, self.front = freeze(encoder), front or nn.Identity()

    def forward(self, segments):
        return self.encoder(self.front(segments)).mean(1)


class LateFusion(nn.Module):
    """The event head on mean features: nothing guides anything."""

    def __init__(self, classes):
        super().__init__()
        visual, audio = visual_backbone("tiny"), audio_backbone("tiny")
        self.inputs = Features(TINY, Mean(visual.encoder), Mean(audio.encoder, audio.sound), "tiny-means")
        self.classes = tuple(classes)
        self.time, self.head = TemporalAttention(visual.width, audio.width, 16), EventHead(16, len(classes))

    def forward(self, batch):
        return self.head(self.time(batch.frames, batch.wave))

    def loss(self, outputs, batch):
        return event_losses(outputs, batch.labels)

    def predict(self, outputs):
        return decode_events(outputs)


def means(*, classes=COLOURS[:6]):
    return LateFusion(classes)
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with the system and a finished run of it."""
    folder = tmp_path_factory.mktemp("features")
    (folder / "means.py").write_text(MEANS)
    said = crossmodal(folder, "ave", "fit", "--system", "means", "--name", "first", *SMALL)
    assert said.code == 0, said.err
    return folder, said


@pytest.fixture
def system(lab, monkeypatch):
    monkeypatch.syspath_prepend(lab[0])
    from means import means

    return means()


def test_features_are_extracted_once_for_all_runs(lab):
    folder, said = lab
    cache = json.loads((folder / "runs/first/summary.json").read_text())["features"]
    assert f"data               features tiny-means in {cache}/: 8 clips extracted" in said.lines
    again = crossmodal(folder, "ave", "fit", "--system", "means", "--name", "again", *SMALL)
    assert f"data               features tiny-means in {cache}/: 0 clips extracted" in again.lines
    assert (folder / "runs/again/predictions.csv").read_text() == (folder / "runs/first/predictions.csv").read_text()


def test_a_finished_run_is_tested_and_used_like_any_other(lab, clip):
    folder, said = lab
    tested = crossmodal(folder, "ave", "test", "--run", "runs/first")
    assert tested.code == 0, tested.err
    assert tested.tested == said.tested
    told = crossmodal(folder, "ave", "predict", clip(2.0), "--run", "runs/first")
    assert told.code == 0, told.err
    assert len(told.lines) == 1 + 2 + 1


@pytest.mark.parametrize("verb", ["look", "figure", "features"])
def test_what_needs_coupled_encoders_says_so(lab, verb):
    folder, _ = lab
    words = [".", "out.h5"] if verb == "features" else []
    said = crossmodal(folder, "ave", verb, *words, "--run", "runs/first")
    assert said.code in (1, 2)
    assert "means" in said.err or "adapter" in said.err


def test_cached_features_are_those_of_the_live_extractors(system, tmp_path):
    source = source_as_read(WorldSource(clips=2, held_out=2), system.inputs, tmp_path)
    assert isinstance(source, FeatureSource)
    source.ready()
    live, cached = WorldSource(clips=2, held_out=2).split("val"), source.split("val")
    for index in range(2):
        clip, found = live[index], cached[index]
        expected = extract_features(Clip(clip.frames[None], clip.wave[None]), system.inputs)
        assert torch.equal(found.frames, expected.frames[0])
        assert torch.equal(found.wave, expected.wave[0])
        assert torch.equal(found.labels, clip.labels)
    assert cached.names == live.names


def test_questions_about_one_clip_are_extracted_once(tmp_path):
    """Each field by itself: pictures of other clips may differ where the clip does not."""
    source = AskedWorldSource(clips=3, held_out=1, questions_per_clip=4)
    system = find_system("st_avqa", "avqa")()
    runs = Counter()
    for name in ("visual", "audio"):
        getattr(system.inputs, name).register_forward_hook(lambda *_, name=name: runs.update([name]))
    features = source_as_read(source, system.inputs, tmp_path)
    features.ready()
    assert runs == {"visual": 2 * 5, "audio": 5}  # three clips of train, one of val and of test; own and other frames
    kept, every = features.split("train"), source.split("train")
    for index in (0, 5, 11):
        batch = extract_features(AskedClip(*(field[None] for field in every[index])), system.inputs)
        assert all(torch.equal(one, other[0]) for one, other in zip(kept[index], batch, strict=True))


def test_a_test_extracts_its_own_split_alone(system, tmp_path):
    """Where the cache of the training is gone, hours of other splits are not needed."""
    for splits, extracted in ((("test",), 2), (("train", "val", "test"), 3 + 2)):
        source = source_as_read(WorldSource(clips=3, held_out=2), system.inputs, tmp_path, splits=splits)
        assert source.ready()[-1].endswith(f": {extracted} clips extracted")
