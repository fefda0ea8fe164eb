"""LLP in its published layout: labels, both versions of the audio table, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from llp_folder import AUDIO, OLD_ROW, VISUAL, write_features, write_media
from llp_folder import write_tables as write_llp

from crossmodal.data import Preprocess
from crossmodal.data.llp import LLP, LLPFeatures, told_same_files
from crossmodal.data.llp_rows import LLP_CLASSES, read_clip_labels
from crossmodal.data.many_videos.prepare_llp import check_tables, write_tables
from crossmodal.data.parsing_sources import LLPSource
from crossmodal.data.shot_sources import ShotLLPSource

SMALL = Preprocess(size=8, rate=16_000)
SPEECH, DOG, CAT, CRY = (LLP_CLASSES.index(name) for name in ("Speech", "Dog", "Cat", "Baby_cry_infant_cry"))


@pytest.fixture
def root(tmp_path):
    return write_media(write_llp(tmp_path / "llp"))


def llp(root, split="test"):
    return LLP(root, split, SMALL, wave_rate=16_000)


def test_an_item_of_the_test_split_has_what_is_heard_and_seen(root):
    items = llp(root)
    clip = items[0]
    assert items.names == ["ddddddddddd_30_40", "JfZEqeLZqWk_30_40"]
    assert clip.frames.shape == (10, 3, 8, 8)
    assert clip.wave.shape == (10, 16_000)
    assert clip.motion.shape == (10, 0)
    assert clip.present.nonzero().flatten().tolist() == [SPEECH, DOG]
    heard, seen = torch.zeros(10, 25, dtype=torch.bool), torch.zeros(10, 25, dtype=torch.bool)
    heard[2:7, DOG] = seen[:5, DOG] = seen[4:, CAT] = True
    assert torch.equal(clip.audio, heard)
    assert torch.equal(clip.visual, seen)


def test_training_knows_the_labels_of_clips_alone(root):
    clip = llp(root, "train")[1]
    for marks in (clip.audio, clip.visual):
        assert torch.equal(marks, clip.present.bool().expand(10, -1))


def test_the_older_audio_table_reads_like_the_newest(root):
    newest = llp(root)[1].audio
    write_llp(root, audio=(*AUDIO, OLD_ROW))
    assert torch.equal(llp(root)[1].audio, newest)
    assert newest[3:8, CRY].all()
    assert not LLP(root, "test", SMALL, wave_rate=16_000, errata={})[1].audio.any()


def test_features_are_read_in_the_place_of_frames_and_wave(root):
    clip = LLPFeatures(write_features(root), "val")[0]
    assert (clip.frames.shape, clip.wave.shape, clip.motion.shape) == ((10, 8, 2048), (10, 128), (10, 512))
    stored = np.load(root / "LLP_dataset/feats/res152/ccccccccccc.npy")
    assert torch.equal(clip.frames[3, 1], torch.from_numpy(stored[25]))
    assert llp(root, "val")[0].motion.shape == (10, 512)  # clips carry the motion features that are there


def test_a_clip_without_rows_is_told(root):
    said = LLPSource(root).ready()
    assert len(said) == 1
    assert said[0].startswith(
        "1 of 2 clips of test have no row in AVVP_eval_visual.csv, so nothing of them counts as seen"
    )
    assert "JfZEqeLZqWk_30_40" in said[0]


@pytest.mark.parametrize(
    ("visual", "sentence"),
    [
        (("ccccccccccc_0_10", 0, 4, "Dgo"), r"line 2: 'Dgo' is none of the categories, perhaps 'Dog'\?"),
        (
            ("ccccccccccc_0_10", 4, 11, "Dog"),
            "line 2: ccccccccccc_0_10 has an event from 4 to 11 s, but a clip lasts 10 s",
        ),
        (("ccccccccccc_0_10", 4, "", "Dog"), "line 2: offset is missing: a row is filename onset offset event_labels"),
        (("ccccccccccc_0_10", 4, "x", "Dog"), "line 2: onset and offset must be whole seconds"),
    ],
)
def test_a_row_that_does_not_parse_is_refused(root, visual, sentence):
    write_llp(root, visual=(visual, *VISUAL))
    with pytest.raises(ValueError, match=f"AVVP_eval_visual.csv, {sentence}"):
        llp(root)


def test_a_table_that_is_missing_or_has_other_columns_is_refused(root):
    (root / "AVVP_train.csv").write_text("filename,event_labels\n")
    with pytest.raises(ValueError, match="has the columns filename,event_labels, but needs filename"):
        llp(root, "train")
    (root / "AVVP_train.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"AVVP_train\.csv is missing: copy the released file"):
        llp(root, "train")


def test_a_clip_of_another_length_is_refused(root):
    video = "ddddddddddd"
    np.save(root / f"LLP_dataset/wave/{video}.npy", np.zeros(9 * 16_000, np.float32))
    with pytest.raises(ValueError, match=r"expected 10 segments of rate=16000 samples"):
        llp(root)[0]
    (root / f"LLP_dataset/frame/{video}/00000010.jpg").unlink()
    with pytest.raises(ValueError, match="holds 9 frames, expected 10, one from the middle of every second"):
        llp(root)[0]
    assert list(llp(root).check()) == ["ddddddddddd_30_40"]


def test_a_feature_file_of_another_shape_is_refused(root):
    write_features(root)
    np.save(root / "LLP_dataset/feats/vggish/ccccccccccc.npy", np.zeros((9, 128), np.float32))
    with pytest.raises(ValueError, match=r"shape \(9, 128\), expected floats of shape \(10, 128\): it is no vggish"):
        LLPFeatures(root, "val")[0]
    assert list(LLPFeatures(root, "val").check()) == ["ccccccccccc_0_10"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_are_no_numbers_are_named(root, value):
    file = write_features(root) / "LLP_dataset/feats/vggish/ccccccccccc.npy"
    np.save(file, np.full((10, 128), value))
    with pytest.raises(ValueError, match=r"LLP: .*ccccccccccc\.npy holds NaN or infinite values: extract it again"):
        LLPFeatures(root, "val")[0]


TIMES = st.tuples(st.integers(0, 590), st.integers(1, 10)).map(lambda drawn: (drawn[0], sum(drawn)))
WRITTEN = st.sampled_from(["{}_{}", "{}.0_{}.000", "{}000_{}000"])


@given(film=TIMES, clips=st.lists(TIMES, min_size=1, max_size=4), how=WRITTEN, named=st.booleans())
def test_prepared_tables_keep_the_rows_of_the_seconds_that_the_film_shows(tmp_path_factory, film, clips, how, named):
    folder = tmp_path_factory.mktemp("tables")
    rows = [f"abcdefg_1_2_{start}_{end}" for start, end in clips]
    (folder / "AVVP_train.csv").write_text("filename\tevent_labels\n" + "".join(f"{row}\tDog\n" for row in rows))
    ready = {"abcdefg_1_2": f"abcdefg_1_2{'_' + how.format(*film) if named else ''}"}
    said = [*write_tables(folder, ["AVVP_train.csv"], folder, ready)]
    kept = [row for row, times in zip(rows, clips, strict=True) if not named or times == film]
    assert (folder / "AVVP_train.csv").read_text().split()[2::2] == kept
    lost = len(rows) - len(kept)
    assert bool(said) == bool(lost)
    assert not said or f"{lost} rows left out, for the films are of other seconds of their videos" in said[0]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_prepared_tables_keep_short_ids_and_columns_in_any_order(tmp_path, end):
    tables = {"AVVP_train.csv": ("filename", "event_labels"), "AVVP_test_pd.csv": ("event_labels", "filename")}
    cells = {"filename": ("clip1", "clip2", "ddddddddddd_30_40 "), "event_labels": ("Dog", "Cat", "Dog,Speech")}
    for name, columns in tables.items():
        lines = ["\t".join(columns), *("\t".join(cells[column][at] for column in columns) for at in (0, 1, 2, 0))]
        (tmp_path / name).write_text(end.join([*lines, ""]), newline="")
    ready = {"clip1": "clip1", "ddddddddddd": "ddddddddddd_30_40"}
    assert [*write_tables(tmp_path, check_tables(tmp_path), tmp_path, ready)] == [
        f"{name}: 1 rows left out, for their clips are missing" for name in tables
    ]
    for name in tables:
        kept = [row.name for row in read_clip_labels(tmp_path / name, LLP_CLASSES)]
        assert kept == ["clip1", "ddddddddddd_30_40", "clip1"]


def test_clips_of_one_id_and_other_names_are_told(root):
    assert not told_same_files({"train": ["aaaaaaaaaaa_0_10", "b", "b"], "test": ["aaaaaaaaaaa_0_10", "ccccccccccc"]})
    for name, row in (("AVVP_train.csv", "aaaaaaaaaaa_20_30"), ("AVVP_test_pd.csv", "bbbbbbbbbbb_50_60")):
        with (root / name).open("a") as table:
            table.write(f"{row}\tDog\n")
    told = [
        "1 clips of train have the id of another one and are read from the same files, the first aaaaaaaaaaa_20_30, as "
        "aaaaaaaaaaa_0_10: all are kept",
        "1 clips of test have the id of one of train and are read from the same files, the first bbbbbbbbbbb_50_60, as "
        "bbbbbbbbbbb_5_15: scores on them are not of unseen ones",
    ]
    assert LLPSource(root).ready()[-2:] == ShotLLPSource(root).ready() == told
