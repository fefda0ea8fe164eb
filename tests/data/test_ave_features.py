"""AVE's published feature files: read row by row, checked in words, and trained on by the command line."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from commands import crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.annotations import event_labels
from crossmodal.data.ave_features import AVEFeatures, AVEFeatureSource, _row_numbers
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.tasks.feature_inputs import source_as_read

ROWS = [
    "Bark&aaaaaaaaaaa&good&2&5",
    "Flute&bbbbbbbbbbb&good&0&10",
    "Bark&ccccccccccc&good&9&10",
    "Cat&ddddddddddd&good&0&3",
]


def write(file, key, values):
    with h5py.File(file, "w") as out:
        out[key] = values


@pytest.fixture
def root(tmp_path):
    """Four clips and one of background, in the published layout."""
    draw = np.random.default_rng(0)
    folder = tmp_path / "AVE"
    folder.mkdir()
    (folder / "Annotations.txt").write_text("\n".join(ROWS))  # without a header, as beside the features
    for suffix, clips in (("", 4), ("_noisy", 1)):
        write(folder / f"visual_feature{suffix}.h5", "avadataset", draw.random((clips, 10, 7, 7, 512)))
        write(folder / f"audio_feature{suffix}.h5", "avadataset", draw.random((clips, 10, 128)))
    for split, rows in (("train", [2, 0]), ("val", [1]), ("test", [3])):
        write(folder / f"{split}_order.h5", "order", np.array(rows))
    return folder


def test_an_item_is_the_row_of_its_order(root):
    train = AVEFeatures(root, "train")
    with h5py.File(root / "visual_feature.h5") as visual, h5py.File(root / "audio_feature.h5") as audio:
        first = train[0]
        assert torch.equal(first.frames, torch.from_numpy(visual["avadataset"][2]).float().reshape(10, 49, 512))
        assert torch.equal(first.wave, torch.from_numpy(audio["avadataset"][2]).float())
    assert first.labels.tolist() == [28] * 9 + [2]
    assert train.names == ["ccccccccccc#2", "aaaaaaaaaaa#0"]
    assert torch.equal(pickle.loads(pickle.dumps(train))[1].frames, train[1].frames)
    with_background = AVEFeatures(root, "train", background=True)
    assert (len(train), len(with_background), len(AVEFeatures(root, "val", background=True))) == (2, 3, 1)
    assert with_background[2].labels.tolist() == [28] * 10


def test_what_is_wrong_is_said_in_one_sentence(root):
    write(root / "audio_feature.h5", "avadataset", np.zeros((4, 10, 64)))
    with pytest.raises(ValueError, match=r"audio_feature.h5 holds avadataset of \(4, 10, 64\), expected .*10, 128\)"):
        AVEFeatures(root, "train")
    write(root / "audio_feature.h5", "avadataset", np.zeros((3, 10, 128)))
    with pytest.raises(ValueError, match=r"4 rows in Annotations.txt, but features of .*'audio': 3"):
        AVEFeatures(root, "train")
    write(root / "audio_feature.h5", "avadataset", np.full((4, 10, 128), np.nan))
    with pytest.raises(ValueError, match=r"row 2 of audio_feature.h5 holds NaN"):
        AVEFeatures(root, "train")[0]
    write(root / "val_order.h5", "order", np.array([4]))
    with pytest.raises(ValueError, match=r"val_order.h5 names row 4 of 4"):
        AVEFeatures(root, "val")
    (root / "test_order.h5").write_bytes(b"no file of HDF5")
    with pytest.raises(ValueError, match=r"test_order.h5 is no whole HDF5 file"):
        AVEFeatures(root, "test")
    (root / "visual_feature.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"visual_feature.h5 is missing"):
        AVEFeatures(root, "train")


ROW_NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=5)
SHAPED = st.sampled_from([(-1,), (-1, 1), (1, -1)])
KINDS = st.sampled_from(["int64", "uint8", "float64", "float16", ">i4"])


@given(rows=ROW_NUMBERS, shape=SHAPED, kind=KINDS)
def test_whole_numbers_are_rows_however_they_are_written(rows, shape, kind):
    assert _row_numbers(np.array(rows, kind).reshape(shape), Path("train_order.h5")) == rows


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([True, False, True, False], r"a mask of 4 rows, expected their numbers: save numpy\.flatnonzero\(mask\)"),
        ([0.9, 2.0], "names row 0.9, expected whole numbers"),
        ([0.0, np.nan], "names row nan, expected whole numbers"),
        ([np.inf], "names row inf, expected whole numbers"),
        ([1j], r"order of complex128 and shape \(1,\), expected whole numbers in one dimension"),
        (2, r"order of int64 and shape \(\), expected whole numbers in one dimension"),
        ([[0, 1], [2, 3]], r"order of int64 and shape \(2, 2\), expected whole numbers in one dimension"),
        ([b"0", b"x"], r"order of object and shape \(2,\), expected whole numbers in one dimension"),
    ],
)
def test_an_order_of_anything_else_is_named(root, held, said):
    write(root / "train_order.h5", "order", held)
    with pytest.raises(ValueError, match=rf"AVEFeatures: .*train_order\.h5 .*{said}"):
        AVEFeatures(root, "train")


def test_features_of_background_are_of_the_same_clips_or_refused(root):
    write(root / "audio_feature_noisy.h5", "avadataset", np.zeros((0, 10, 128)))
    with pytest.raises(ValueError, match=r"noisy features of \{'visual': 1, 'audio': 0\} clips: .* of one release"):
        AVEFeatures(root, "train", background=True)
    write(root / "audio_feature_noisy.h5", "avadataset", np.zeros((1, 10, 64)))
    with pytest.raises(ValueError, match=r"audio_feature_noisy\.h5 holds avadataset of \(1, 10, 64\), expected"):
        AVEFeatures(root, "train", background=True)
    assert len(AVEFeatures(root, "train")) == 2
    write(root / "audio_feature.h5", "avadataset/of", np.zeros(1))
    with pytest.raises(ValueError, match=r"audio_feature\.h5 holds no avadataset"):
        AVEFeatures(root, "train")
    write(root / "audio_feature.h5", "avadataset", np.zeros((4, 10, 128), "S1"))
    with pytest.raises(ValueError, match=r"audio_feature\.h5 holds avadataset of .S1, expected floats"):
        AVEFeatures(root, "train")


def test_a_system_that_reads_clips_is_refused(root, tmp_path):
    with pytest.raises(ValueError, match="its items are the features 'vgg19-vggish', but the system reads clips"):
        source_as_read(AVEFeatureSource(root), dg_sct().inputs, tmp_path)


@pytest.mark.slow
def test_the_command_trains_on_them(root):
    """Both extractors at full size, with random weights: nothing is extracted."""
    extractors = ["--model.visual", "vgg19", "--model.audio", "vggish"]
    short = ["--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", "--data.batch_size=1"]
    said = crossmodal(root.parent, "ave", "fit", "--system", "avel_av", "--data.features", root, *extractors, *short)
    assert said.code == 0, said.err
    assert any("published features" in line for line in said.lines)


@pytest.mark.parametrize(("order", "said"), [([0, 1, 2, 3], []), ([0, 1, 3, 2], None), ([3, 2, 1, 0], "is refused")])
def test_labels_beside_the_features_show_whether_the_rows_are_in_order(root, order, said):
    items = AVEFeatures(root, "train")
    every = [event_labels(event, items.classes, 10) for event in items.events]
    write(root / "labels.h5", "avadataset", np.eye(29, dtype=np.float32)[torch.stack(every)[order].numpy()])
    if said == "is refused":
        with pytest.raises(ValueError, match=r"in 4 of 4 rows .*labels\.h5 says something else .* in another order"):
            AVEFeatureSource(root).ready()
    else:
        told = AVEFeatureSource(root).ready()
        assert told == said if said is not None else "2 rows of" in told[0]
    write(root / "labels.h5", "avadataset", np.zeros((3, 10, 29)))
    assert "it was not compared with Annotations.txt" in AVEFeatureSource(root).ready()[0]


def test_rows_of_training_in_a_test_are_told(root):
    write(root / "test_order.h5", "order", np.array([3, 2, 3]))
    assert AVEFeatureSource(root).ready() == [
        "1 items of test stand twice, the first row 3: all are kept",
        "1 items of test stand in train, too, the first row 2: scores on them are not of unseen ones",
    ]
