"""Clips with targets over names: the published choice of clips, and the four data sets behind it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from llp_folder import write_media, write_tables
from PIL import Image

from crossmodal.data import AVE_CLASSES, Preprocess
from crossmodal.data.shot_sources import ClassifiedAVESource, LocalisedByNameSource, ShotAVESource, ShotLLPSource
from crossmodal.data.shot_sources import VGGSoundSource as Source
from crossmodal.data.shot_world import HELD_OUT, SEEN, SeenWorldSource, ShotWorldSource, UnseenWorldSource
from crossmodal.data.shots import classified, first_of_each, told_fewer
from crossmodal.data.vggsound import VGGSoundEvents
from crossmodal.tasks.few_shot import TASK
from crossmodal.tasks.matched_system import Matched
from crossmodal.tasks.pretrain import first_events
from crossmodal.testing.ave_layout import write_ave

SMALL = Preprocess(16, 16_000)
HEADER = "category,video_id,label,split"


@given(st.lists(st.sampled_from("abcx"), min_size=12, max_size=40), st.integers(1, 4))
def test_the_first_of_every_class_in_order(labels, shots):
    labels += list("abc")
    found = first_of_each(labels, shots, "abc")
    assert found == sorted(found)
    for name in "abc":
        places = [place for place, label in enumerate(labels) if label == name]
        assert [place for place in found if labels[place] == name] == places[:shots]
    assert first_of_each(labels, 0, "abc") == [place for place, label in enumerate(labels) if label in "abc"]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=12), st.integers(0, 4))
def test_classes_of_few_clips_are_told(labels, shots):
    counts = {name: labels.count(name) for name in "abc"}
    fewer = [name for name in "abc" if counts[name] < shots] if all(counts.values()) else []
    said = told_fewer(labels, shots, "abc")
    assert len(said) == bool(fewer)
    if fewer:
        assert said[0].startswith(f"{len(fewer)} classes have fewer than {shots} training clips, ")
        assert said[0].endswith(f"the fewest: {min(counts.values())}")


def test_a_class_without_clips_and_negative_shots_are_named():
    with pytest.raises(ValueError, match="no item of 'c'"):
        first_of_each("aab", 2, "abc")
    with pytest.raises(ValueError, match="shots=-1"):
        first_of_each("aab", -1, "ab")


def test_the_class_of_a_clip_is_that_of_its_first_second_with_an_event():
    assert classified(torch.tensor([3, 3, 1, 0]), 3, background=3).tolist() == [[0.0, 1.0, 0.0]]
    assert classified(torch.tensor([3, 3]), 3, background=3).sum() == 0
    target = torch.zeros(2, 3, 4)
    target[0, :, 3], target[1, 0, 3], target[1, 1, 2], target[1, 2, 0] = 1, 1, 1, 1
    assert first_events(target).argmax(-1).tolist() == [[0], [2]]
    assert first_events(target)[0].sum() == 0


def test_ave_by_second_and_by_clip(tmp_path):
    write_ave(tmp_path / "ave", {"train": 56, "val": 2, "test": 2}, frames=2, size=(8, 8), wave_rate=16_000)
    sources = [
        kind(tmp_path / "ave", shots=1, wave_rate=16_000)
        for kind in (ShotAVESource, ClassifiedAVESource, LocalisedByNameSource)
    ]
    for source in sources:
        source.preprocess = SMALL
        assert len(source.split("train")) == len(AVE_CLASSES)
        assert len(source.split("test")) == 2
    by_second, by_clip, by_name = (source.split("test")[0].target for source in sources)
    assert by_second.shape == by_name.shape == (10, 29)
    assert by_clip.shape == (1, 28)
    assert by_second[by_second.argmax(-1) < 28].argmax(-1).unique().tolist() == [int(by_clip.argmax())]
    assert [len(source.classes) for source in sources] == [29, 28, 28]
    assert sources[0].ready() == []
    (said,) = ShotAVESource(tmp_path / "ave", shots=3).ready()
    assert said == "28 classes have fewer than 3 training clips, 'Church bell' the fewest: 2"


def test_llp_takes_clips_with_one_label(tmp_path):
    root = write_media(write_tables(tmp_path / "llp"))
    (root / "AVVP_train.csv").write_text(
        "filename\tevent_labels\naaaaaaaaaaa_0_10\tSpeech,Dog\nbbbbbbbbbbb_5_15\tDog\n"
    )
    source = ShotLLPSource(root, shots=0, wave_rate=16_000)
    source.preprocess = SMALL
    assert source.split("train").names == ["bbbbbbbbbbb_5_15"]
    with pytest.raises(ValueError, match="no item of 'Speech'"):
        ShotLLPSource(root, shots=1, wave_rate=16_000).split("train")
    item = source.split("test")[0]
    assert item.target.nonzero()[:, 1].tolist() == [0, 3]
    scores = torch.zeros(1, 10, 25)
    scores[..., 3] = 1
    counted = TASK.scores()
    counted.update(Matched(scores), type(item)(*(part[None] for part in item)))
    assert counted.compute() == {"accuracy": 0.0, "any_label": 1.0}


def write_vggsound(root, rows):
    root.mkdir()
    (root / "VggsoundAVEL40kCategories.txt").write_text("dog barking\nplaying violin, fiddle\n")
    (root / "vggsound-avel40k_labels.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return root


def test_vggsound_in_its_layout_and_its_faults(tmp_path):
    rows = ['"playing violin, fiddle",123,"[0,1,1,0,0,0,0,0,0,0]",train', 'dog barking,7,"[1,1,1,1,1,1,1,1,1,1]",test']
    root = write_vggsound(tmp_path / "a", rows)
    for video in ("000123", "000007"):
        (root / "frames" / video).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / "frames" / video / "00000001.jpg")
        (root / "wave").mkdir(exist_ok=True)
        np.save(root / "wave" / f"{video}.npy", np.zeros(160_000, np.float32))
    items = VGGSoundEvents(root, "train", SMALL, wave_rate=16_000)
    assert items.check() == {}
    assert items.names == ["000123"]
    assert items[0].labels.tolist() == [2, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    source = Source(root, wave_rate=16_000)
    source.preprocess = SMALL
    assert source.split("test").classes == ("dog barking", "playing violin, fiddle", "background")
    assert source.split("test")[0].target.argmax(-1).tolist() == [0] * 10
    (root / "wave" / "000007.npy").unlink()
    assert "missing" in str(source.split("test").check())
    for at, (row, said) in enumerate(
        {
            'dog bark,7,"[1,1,1,1,1,1,1,1,1,1]",test': "line 2: 'dog bark' is none .* mean 'dog barking'",
            'dog barking,x7,"[1,1,1,1,1,1,1,1,1,1]",test': "'x7' must be a whole number",
            'dog barking,7,"[1,1]",test': "must hold 10 numbers",
            'dog barking,7,"1 1",test': "must be a list",
        }.items()
    ):
        with pytest.raises(ValueError, match=said):
            VGGSoundEvents(write_vggsound(tmp_path / f"b{at}", [row]), "test")
    with pytest.raises(ValueError, match="no row of the split 'val'"):
        VGGSoundEvents(root, "val")


def test_the_world_of_pairs_is_split_into_seen_and_unseen():
    assert len(HELD_OUT) == 8
    assert not set(HELD_OUT) & set(SEEN)
    few, none, many = ShotWorldSource(shots=1, held_out=4), UnseenWorldSource(held_out=4), SeenWorldSource(clips=3)
    train = few.split("train")
    assert few.classes == (*HELD_OUT, "background")
    assert none.classes == HELD_OUT
    assert many.classes == (*SEEN, "background")
    about = [int(train[at].target[:, :8].any(0).nonzero()) for at in range(3)]
    assert len(set(about)) == 3
    assert len(train) == 8
    assert len(many.split("train")) == 3
    assert none.split("test")[0].target.shape == (10, 9)
