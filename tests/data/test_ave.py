"""AVE on a small data set in the released layout."""

import pickle
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from crossmodal.data import AVE, AVE_CLASSES, LabelledClip, Preprocess
from crossmodal.data.many_videos.clip_sources import of_split
from crossmodal.data.source import AVESource, Source
from crossmodal.testing.ave_layout import write_ave

PLAIN = Preprocess(size=16, rate=8_000, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
RATE = 8_000


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    root = tmp_path_factory.mktemp("released") / "AVE"
    write_ave(root, wave_rate=RATE)
    return root


@pytest.fixture
def own(released, tmp_path):
    return shutil.copytree(released, tmp_path / "AVE")


def ave(root, split="train", **options):
    return AVE(root, split, PLAIN, wave_rate=RATE, **options)


def test_items_are_the_rows_of_the_split(released):
    rows = (released / "valSet.txt").read_text().splitlines()
    data = ave(released, "val")
    assert len(data) == len(rows) == 2
    assert data.classes == AVE_CLASSES
    assert data.background == 28
    assert data.videos == [row.split("&")[1] for row in rows]


def test_each_second_holds_its_own_frame_sound_and_label(released):
    data = ave(released)
    for event, clip in zip(data.events, data, strict=True):
        inside = torch.arange(10)[event.start : event.end]
        assert isinstance(clip, LabelledClip)
        assert (clip.labels != 28).nonzero().flatten().tolist() == inside.tolist()
        assert set(clip.labels[inside].tolist()) == {AVE_CLASSES.index(event.category)}
        assert (clip.wave.std(1) > 0.1).nonzero().flatten().tolist() == inside.tolist()
        saturated = clip.frames.amax((1, 2, 3)) - clip.frames.amin((1, 2, 3)) > 0.8
        # 20 frames: the sampled numbers 1, 3, 5, 7, 9, 11, 13, 15, 17, 20 lie at the seconds 0 … 8 and 9.5
        assert saturated.nonzero().flatten().tolist() == inside.tolist()


def test_frames_and_samples_are_those_of_the_files(released):
    from PIL import Image

    data = AVE(released, "test", Preprocess(size=48, rate=RATE, mean=(0, 0, 0), std=(1, 1, 1)), wave_rate=RATE)
    video = data.videos[0]
    wave = np.load(released / "wave" / f"{video}.npy")
    torch.testing.assert_close(data[0].wave.flatten(), torch.from_numpy(wave))
    with Image.open(released / "frames" / video / "00000020.jpg") as picture:
        wanted = data.preprocess.image(torch.from_numpy(np.array(picture)).permute(2, 0, 1))
    torch.testing.assert_close(data[0].frames[-1], wanted)


def test_waves_are_resampled_to_the_models_rate(released):
    clip = AVE(released, "train", Preprocess(size=16, rate=16_000), wave_rate=RATE)[0]
    assert clip.wave.shape == (10, 16_000)
    torch.testing.assert_close(clip.wave.std(1), ave(released)[0].wave.std(1), rtol=0.02, atol=0.002)


def test_a_loader_batches_clips_by_name(released):
    batch = next(iter(DataLoader(ave(released), batch_size=3)))
    assert batch.frames.shape == (3, 10, 3, 16, 16)
    torch.testing.assert_close(batch.labels[2], ave(released)[2].labels)


def test_it_travels_to_worker_processes(released):
    copy = pickle.loads(pickle.dumps(ave(released)))
    torch.testing.assert_close(copy[1].wave, ave(released)[1].wave)


def test_categories_txt_sets_the_classes_and_their_order(tmp_path):
    write_ave(tmp_path / "mine", classes=("Zither", "Lute, oud"), wave_rate=RATE)
    data = ave(tmp_path / "mine")
    assert data.classes == ("Zither", "Lute, oud")
    assert [set(clip.labels.tolist()) - {2} for clip in data] == [{0}, {1}, {0}, {1}]


def test_a_video_with_two_events_is_two_items(own):
    first, *rest = (own / "trainSet.txt").read_text().splitlines()
    video = first.split("&")[1]
    (own / "trainSet.txt").write_text("\n".join([first, f"Cat&{video}&good&0&3", *rest]))
    data = ave(own)
    assert data.videos[:2] == [video, video]
    assert data[1].labels.tolist() == [22] * 3 + [28] * 7


def test_check_finds_nothing_amiss_in_a_whole_data_set(released):
    assert ave(released).check() == {}


def test_check_lists_what_is_missing_by_video(own):
    data = ave(own)
    shutil.rmtree(own / "frames" / data.videos[0])
    (own / "wave" / f"{data.videos[0]}.npy").unlink()
    (own / "frames" / data.videos[2] / "00000003.jpg").unlink()
    np.save(own / "wave" / f"{data.videos[3]}.npy", np.zeros(5, np.float32))
    found = data.check()
    assert list(found) == [data.videos[0], data.videos[2], data.videos[3]]
    assert [problem.split(":")[0] for problem in found[data.videos[0]]] == ["frame_files", "read_wave"]
    assert "the first 00000003.jpg" in found[data.videos[2]][0]
    assert "has the shape (5,), expected 10 segments of rate=8000" in found[data.videos[3]][0]


def test_check_lists_rows_that_the_annotations_lack(own):
    rows = (own / "trainSet.txt").read_text().splitlines()
    (own / "trainSet.txt").write_text("\n".join([rows[0].replace("&good&", "&good&0"), *rows[1:]]))
    annotations = (own / "Annotations.txt").read_text().replace(rows[0] + "\n", "")
    (own / "Annotations.txt").write_text(annotations)
    data = ave(own)
    assert "which Annotations.txt has not" in data.check()[data.videos[0]][0]


@pytest.mark.parametrize("name", ["frames", "wave"])
def test_a_missing_folder_is_named(own, name):
    shutil.rmtree(own / name)
    with pytest.raises(
        FileNotFoundError, match=rf"AVE: the folder .*{name} is missing: root=.* must hold Annotations\.txt"
    ):
        ave(own)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"AVE: the folder .*nowhere is missing"):
        ave(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["Annotations.txt", "testSet.txt"])
def test_a_missing_file_is_named(own, name):
    (own / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: copy the released file"):
        ave(own, "test")


@pytest.mark.parametrize("name", ["Annotations.txt", "testSet.txt"])
def test_a_line_that_does_not_parse_is_named(own, name):
    with (own / name).open("a") as rows:
        rows.write("Church bell&broken\n")
    with pytest.raises(ValueError, match=rf"{name}, line \d+: 'Church bell&broken': 2 fields, expected the five"):
        ave(own, "test")


def test_another_split_is_named(released):
    with pytest.raises(ValueError, match=r"AVE: split='dev' must be one of train, val, test"):
        ave(released, "dev")


def test_a_frame_cut_in_half_is_named(own):
    data = ave(own)
    frame = own / "frames" / data.videos[1] / "00000005.jpg"
    frame.write_bytes(frame.read_bytes()[: frame.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{data.videos[1]}/00000005\.jpg is cut"):
        data[1]


def test_a_wave_of_another_rate_is_named(released):
    with pytest.raises(ValueError, match=r"expected 10 segments of rate=32000 .* if 8000 is the samples a second"):
        AVE(released, "train", PLAIN)[0]


def test_a_source_looks_at_all_splits_before_a_training(tmp_path):
    root = tmp_path / "AVE"
    write_ave(root, {"train": 2, "val": 1, "test": 2}, wave_rate=8_000)
    AVESource(root, wave_rate=8_000).check()
    next((root / "wave").glob("*test00001.npy")).unlink()
    with pytest.raises(
        ValueError, match=r"lacks something of 1 clips \(1 test\)\. The first is of test: read_wave: the"
    ):
        AVESource(root, wave_rate=8_000).check()


@pytest.mark.parametrize(("table", "disk"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_an_id_is_found_however_its_letters_are_composed(tmp_path, table, disk):
    write_ave(tmp_path, {"train": 1, "val": 1, "test": 1}, frames=10, size=(8, 8))
    old, name = "-val00000", "é-ñ"
    (tmp_path / "frames" / old).rename(tmp_path / "frames" / unicodedata.normalize(disk, name))
    (tmp_path / f"wave/{old}.npy").rename(tmp_path / "wave" / f"{unicodedata.normalize(disk, name)}.npy")
    for file in ("Annotations.txt", "valSet.txt"):
        text = (tmp_path / file).read_text().replace(old, unicodedata.normalize(table, name))
        (tmp_path / file).write_text(text, encoding="utf-8")
    data = AVE(tmp_path, "val")
    assert data.check() == {}
    assert len(data[0].frames) == 10
    assert of_split(tmp_path, "val") == [unicodedata.normalize(disk, name)]


def test_of_twins_each_has_its_own_files(tmp_path):
    write_ave(tmp_path, {"train": 1, "val": 2, "test": 1}, frames=10, size=(8, 8))
    for old, form in (("-val00000", "NFC"), ("-val00001", "NFD")):
        name = unicodedata.normalize(form, "é")
        (tmp_path / "frames" / old).rename(tmp_path / "frames" / name)
        (tmp_path / f"wave/{old}.npy").rename(tmp_path / "wave" / f"{name}.npy")
        for file in ("Annotations.txt", "valSet.txt"):
            (tmp_path / file).write_text((tmp_path / file).read_text("utf-8").replace(old, name), encoding="utf-8")
    first, second = AVE(tmp_path, "val")
    assert not torch.equal(first.frames, second.frames)


class Within(Source):
    """A source around another one."""

    def __init__(self, source):
        super().__init__()
        self.source = source

    def describe(self):
        return f"half of {self.source.describe()}"


@pytest.mark.parametrize(
    ("root", "said"), [("/home/me/films of mine/AVE", "AVE"), ("data/AVE", "AVE"), ("AVE", "AVE"), (".", ".")]
)
def test_what_others_read_of_a_source_names_no_folder_of_ones_disk(root, said):
    assert AVESource(Path(root)).describe() == f"the data set {root}"
    assert AVESource(Path(root)).describe_to_others() == f"the data set {said}"
    assert Within(AVESource(Path(root))).describe_to_others() == f"half of the data set {said}"
