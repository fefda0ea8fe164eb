"""Tables and lists of published data sets: what is not understood is named with its place, or told, never assumed."""

from contextlib import nullcontext, suppress

import avs_folder
import llp_folder
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data.annotations import read_classes
from crossmodal.data.avsbench_rows import read_segmented_rows
from crossmodal.data.llp import LLP
from crossmodal.data.parsing_sources import LLPSource
from crossmodal.data.published_tables import means_a_split, numbered, read_text, told_twice, unusable
from crossmodal.data.shot_sources import ShotLLPSource, VGGSoundSource
from crossmodal.data.wave import read_wave

EVENTS, CLIPS = "AVVP_eval_visual.csv", "AVVP_test_pd.csv"
S4 = "Single-source/s4_meta_data.csv"
SOUNDS = "vggsound-avel40k_labels.csv"
EVERY_SECOND = '"[1,1,1,1,1,1,1,1,1,1]"'


def llp(root):
    return LLP(llp_folder.write_tables(root), "test")


def s4(root):
    rows = "".join(f"{name},0,{category},{split}\n" for name, category, split in avs_folder.S4)
    (root / "Single-source").mkdir(parents=True)
    (root / S4).write_text(f"name,start,category,split\n{rows}")


def sounds(root, *rows):
    root.mkdir(exist_ok=True)
    (root / "VggsoundAVEL40kCategories.txt").write_text("dog\ncat\n")
    lines = ["category,video_id,label,split", *(f"dog,{number},{EVERY_SECOND},{split}" for number, split in rows)]
    (root / SOUNDS).write_text("\n".join(lines) + "\n")
    return VGGSoundSource(root)


READERS = {
    "llp": (llp, lambda root: LLP(root, "test"), CLIPS),
    "events": (llp, lambda root: LLP(root, "test"), EVENTS),
    "s4": (s4, lambda root: read_segmented_rows(root, "s4"), S4),
    "sounds": (
        lambda root: sounds(root, (1, "train"), (2, "test")),
        lambda root: VGGSoundSource(root).split("test"),
        SOUNDS,
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("encoding", "read"), [("utf-8-sig", True), ("utf-16", False), ("latin-1", False)])
def test_a_table_in_another_encoding_is_named(reader, encoding, read, tmp_path):
    write, open_it, file = READERS[reader]
    write(tmp_path)
    text = (tmp_path / file).read_text() if read else (tmp_path / file).read_text() + "é"
    (tmp_path / file).write_bytes(text.encode(encoding))
    if read:
        open_it(tmp_path)
    else:
        with pytest.raises(ValueError, match=rf"{(tmp_path / file).name} is not UTF-8 \(.* at byte \d+\): save it as"):
            open_it(tmp_path)


FAULTS = {
    "a field too many": ("events", "\tDog\n", "\tDog\tCat\n", r"line 2: more fields than the 4 columns .* \['Cat'\]"),
    "a column twice": ("events", "event_labels\n", "event_labels\tonset\n", "has the column onset twice: remove one"),
    "digits apart": ("events", "\t10\t", "\t1_0\t", "line 2: .* whole seconds, but '1_0' is no whole number"),
    "out of the folder": (
        "llp",
        "ddddddddddd",
        "../../../d",
        r"line 2: '\.\./.*' is no name of a clip: it must be a plain",
    ),
    "commas alone": ("llp", "Speech,Dog", ",", "line 2: event_labels is missing"),
    "first row, no header": (
        "s4",
        "name,start,category,split\none,0,dog,train",
        "one,0,dog,Train",
        "row 1 .*'Train' is none",
    ),
    "folder of a name": ("s4", "two,", "../two,", r"row 3 .*: it must be a plain file name"),
    "folder of a category": ("s4", ",cat,train", ",../cat,train", r"row 3 .*: category '\.\./cat': it must be a plain"),
    "first row, a split of no kind": (
        "s4",
        "name,start,category,split\none,0,dog,train",
        "one,0,dog,Trainset",
        "row 1 .*split 'Trainset' is none",
    ),
    "another order": (
        "s4",
        "name,start,category,split",
        "category,name,start,split",
        "row 1 names the columns category, name, start, split: 'name' is column 2, but the name is read from column 1",
    ),
    "another order, split": (
        "s4",
        "name,start,category,split",
        "Name,Split,category,start",
        "'Split' is column 2, but",
    ),
    "an index in front": ("s4", "name,start,category,split", ",video_id,category,split", "'video_id' is column 2, but"),
    "a category elsewhere": ("s4", "name,start,category,split", "name,class,start,split", "the category is read from"),
    "a stray quote": (
        "s4",
        "one,0,dog,train",
        'one,0,dog,train,"see',
        "line 2: a quote opens there that is not closed",
    ),
    "two stray quotes": (
        "s4",
        "one,0,dog,train\ntwo,0,cat,train",
        'one,0,dog,train,"\ntwo,0,cat,train,"',
        "line 3: a cell that ends there holds other rows: remove the quotes",
    ),
    "a stray quote, sounds": ("sounds", "train", 'train,"see', "line 2: a quote opens there that is not closed"),
    "no character": ("s4", ",cat,train", ",c\0at,train", r"row 3 .*holds the control character"),
    "a split misspelt": ("sounds", "train", "Train", "line 2: split 'Train' is none of train, val, test"),
    "a field too many, commas": ("sounds", "train", "train,x", "line 2: more fields than the 4 columns"),
}


HEADERS = ["name,start,category,split", "Video Name,onset,Class,set", "0,1,2,3", "x,y,z,split", "video_id,,,", ""]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_of_any_usual_words_is_none_of_the_rows(header, tmp_path):
    s4(tmp_path)
    rows = read_segmented_rows(tmp_path, "s4")
    text = (tmp_path / S4).read_text()
    (tmp_path / S4).write_text(text.replace("name,start,category,split", header))
    assert read_segmented_rows(tmp_path, "s4") == rows


NOTES = st.text(st.sampled_from('ab",\n '), max_size=8)


@settings(max_examples=60)
@given(notes=st.lists(NOTES, min_size=1, max_size=4), whole=st.booleans())
def test_no_row_is_swallowed_by_the_notes_of_another(tmp_path_factory, notes, whole):
    """Notes are written as CSV, or as they are: then they have no line break, and may hold any quote."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "Single-source").mkdir()
    if whole:
        written = ['"{}"'.format(note.replace('"', '""')) for note in notes]
    else:
        written = [note.replace("\n", "") for note in notes]
    rows = "".join(f"row{at},0,dog,train,{note}\n" for at, note in enumerate(written))
    (folder / S4).write_text(f"name,start,category,split,note\n{rows}last,0,dog,test,\n")
    with nullcontext() if whole else suppress(ValueError):
        found = [row.name for row in read_segmented_rows(folder, "s4")]
        assert found == [*(f"row{at}" for at in range(len(notes))), "last"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_understood_is_named_with_its_line(fault, tmp_path):
    reader, before, after, said = FAULTS[fault]
    write, open_it, file = READERS[reader]
    write(tmp_path)
    text = (tmp_path / file).read_text()
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after, 1))
    with pytest.raises(ValueError, match=said):
        open_it(tmp_path)


def test_a_table_without_rows_is_no_data_set_of_nothing(tmp_path):
    s4(tmp_path)
    (tmp_path / S4).write_text("name,start,category,split\n")
    with pytest.raises(ValueError, match=r"s4_meta_data\.csv holds no row"):
        read_segmented_rows(tmp_path, "s4")


def test_events_of_no_clip_and_clips_that_stand_twice_are_told(tmp_path):
    llp(tmp_path)
    text = (tmp_path / EVENTS).read_text()
    (tmp_path / EVENTS).write_text(text.replace("ddddddddddd_30_40", "ddddddddddd_30_40\u200b", 1))
    (tmp_path / CLIPS).write_text(
        (tmp_path / CLIPS).read_text() + "ddddddddddd_30_40\tDog\naaaaaaaaaaa_0_10\tDog,Dog\n"
    )
    said = LLPSource(tmp_path).ready()
    assert (
        "1 rows of AVVP_eval_visual.csv are of no clip of val or test and are not read: 'ddddddddddd_30_40\\u200b'"
        in said
    )
    twice = [
        "1 clips of test stand twice, the first ddddddddddd_30_40: all are kept",
        "1 clips of test stand in train, too, the first aaaaaaaaaaa_0_10: scores on them are not of unseen ones",
    ]
    assert said[-2:] == ShotLLPSource(tmp_path).ready() == twice
    assert LLP(tmp_path, "test").names[-2:] == ["ddddddddddd_30_40#2", "aaaaaaaaaaa_0_10"]
    assert LLP(tmp_path, "test").rows[-1].categories == ("Dog",)
    source = sounds(tmp_path, (1, "train"), (1, "val"), (2, "test"), (3, "unused"))
    assert source.ready()[0] == "not read: 1 rows of the split 'unused'"
    assert "1 clips of val stand in train, too, the first 000001" in source.ready()[1]


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_names_are_unique_and_keep_their_order(train, test):
    found = numbered(train)
    assert len({*found}) == len(found)
    assert [name[0] for name in found] == train
    assert bool(told_twice({"train": train})) == (len({*train}) < len(train))
    told = [said for said in told_twice({"train": train, "test": test}) if "stand in train" in said]
    assert bool(told) == bool({*train} & {*test})


@settings(max_examples=20)
@given(st.text(max_size=5), st.sampled_from(["", "\ufeff"]))
def test_a_text_file_reads_as_it_is(tmp_path_factory, text, mark):
    file = tmp_path_factory.getbasetemp() / "any.txt"
    file.write_bytes((mark + text).encode("utf-8", "surrogatepass"))
    if any("\ud800" <= each <= "\udfff" for each in text):
        with pytest.raises(ValueError, match=r"any\.txt is not UTF-8"):
            read_text(file, "Any")
    else:
        assert read_text(file, "Any") == (text if mark else text.removeprefix("\ufeff"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "a\0", "\udcff"])
def test_a_name_that_leads_elsewhere_or_cannot_be_written_is_none(name):
    assert unusable(name)
    assert not unusable(f"-{name.encode().hex() if name.isascii() else ''} =1+1 $ %s <b> é")


@pytest.mark.parametrize("text", ["Train", "TEST ", "validation", "Val.", "ｔｅｓｔ"])
def test_splits_in_other_spellings(text):
    assert means_a_split(text)
    assert not any(map(means_a_split, ["split", "set", "unlabeled", "category"]))


def test_classes_that_look_the_same_are_one_twice(tmp_path):
    (tmp_path / "list.txt").write_text("caf\u00e9\ncat\ncafe\u0301\n")
    with pytest.raises(ValueError, match=r"VGG: .*list\.txt lists 'café' twice"):
        read_classes(tmp_path / "list.txt", "VGG")


def test_waves_of_integers_written_as_floats_are_named(tmp_path):
    np.save(tmp_path / "wave.npy", np.tile(np.float32([0, 20_000]), 50))
    with pytest.raises(
        ValueError, match=r"wave\.npy holds samples up to 20000, expected floating samples in \[-1, 1\]"
    ):
        read_wave(tmp_path / "wave.npy", 2, 50)
