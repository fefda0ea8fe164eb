"""Names are the same where they look the same; a folder finds its files by them."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data import read_labels
from crossmodal.data.same_text import (
    NameFinder,
    is_utf8,
    listed_names,
    look_alike,
    plain_text,
    printable,
    same_name,
    same_text,
)

INVISIBLE = "\u200b\u00ad\ufeff\u2060"
WORDS = st.text(st.characters(categories=["L", "N", "P"], include_characters="éäﬁがक्"), min_size=1, max_size=6).filter(
    lambda word: word.strip() == word and "\\" not in word
)


@st.composite
def twins(draw):
    """Two ways to write one label, by composition, blanks and invisible characters."""
    words = draw(st.lists(WORDS, min_size=1, max_size=3))

    def written():
        parts = [
            unicodedata.normalize(draw(st.sampled_from(("NFC", "NFD"))), word) + draw(st.sampled_from(("", *INVISIBLE)))
            for word in words
        ]
        return draw(st.sampled_from((" ", "\xa0", "  ", "\t"))).join(parts)

    return written(), written()


@given(twins())
def test_a_label_is_one_class_however_it_is_written(pair):
    one, other = pair
    assert same_text(one) == same_text(other)
    assert plain_text(one) == plain_text(other)
    assert look_alike(one) == look_alike(other)
    assert plain_text(plain_text(one)) == plain_text(one)


@settings(max_examples=10)
@given(twins())
def test_a_table_of_twins_has_one_class_and_says_so(tmp_path_factory, pair):
    table = tmp_path_factory.mktemp("twins") / "labels.csv"
    quoted = ['"' + label.replace('"', '""') + '"' for label in pair]
    table.write_text("file,label\n" + "".join(f"{at}.mp4,{label}\n" for at, label in enumerate(quoted)), "utf-8")
    labels = read_labels(table)
    assert labels.classes == (plain_text(pair[0]),)
    stripped = {label.strip() for label in pair}
    assert any("which are read as one" in note for note in labels.notes) == (len(stripped) > 1)


@pytest.mark.parametrize("pair", [("Dog", "dog"), ("cat", "сat"), ("ﬁre", "fire"), ("Ａ", "a")])
def test_classes_that_look_alike_stay_apart_and_are_told(tmp_path, pair):
    (tmp_path / "l.csv").write_text("file,label\n" + "".join(f"{at}.mp4,{name}\n" for at, name in enumerate(pair)))
    labels = read_labels(tmp_path / "l.csv")
    assert set(labels.classes) == {*pair}
    assert any(note.startswith("classes that look alike are different ones") for note in labels.notes)


def test_scripts_that_join_letters_keep_their_joiners():
    for word in ("می‌خواهم", "क्‍ष", "👩‍🚒"):
        assert plain_text(word) == unicodedata.normalize("NFC", word)


def test_a_file_is_found_by_what_its_name_looks_like(tmp_path):
    names = {form: unicodedata.normalize(form, "größe/Bär é.mp4") for form in ("NFC", "NFD")}
    (tmp_path / names["NFD"]).parent.mkdir()
    (tmp_path / names["NFD"]).touch()
    finder = NameFinder(tmp_path)
    assert finder.find(names["NFC"]) == finder.find("\ufeff" + names["NFC"]) == tmp_path / names["NFD"]
    assert finder.find("other.mp4") == tmp_path / "other.mp4"
    folder = (tmp_path / names["NFD"]).parent
    (folder / unicodedata.normalize("NFC", "Bär é.mp4")).touch()
    assert finder.find(f"{folder.name}/{unicodedata.normalize('NFC', 'Bär é.mp4')}").parent == folder


def test_bytes_that_are_no_text_can_be_printed():
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    assert not is_utf8(name)
    assert printable(name) == "caf\\xe9.mp4"
    assert is_utf8("größe")
    assert same_name(name) == name


@pytest.mark.parametrize(
    ("columns", "read"),
    [
        ("start_time,end_time", True),
        ("onset,offset", True),
        ("begin,finish", True),
        ("start (s),end (s)", True),
        ("Start [sec],End [sec]", True),
        ("start_seconds,end_seconds", True),
        ("t0,t1", True),
        ("startTime,endTime", True),
        ("from,to", True),
        ("when,until", False),
        ("begin_ms,end_of_it_ms", False),
        ("start_frame,end_frame", False),
    ],
)
def test_columns_of_times_are_read_or_told(tmp_path, columns, read):
    (tmp_path / "l.csv").write_text(f"file,label,{columns},set\na.mp4,dog,1,3,train\nb.mp4,cat,0,2,test\n")
    labels = read_labels(tmp_path / "l.csv")
    assert (labels.rows.end.tolist() == [3.0, 2.0]) == read
    (told,) = (note for note in labels.notes if "not read" in note)
    assert "'set'" in told
    assert all(name in told for name in columns.split(",")) != read


def test_texts_under_the_name_of_times_are_told_and_refuse_nothing(tmp_path):
    (tmp_path / "l.csv").write_text("file,label,from,to\na.mp4,dog,Rome,Oslo\n")
    assert any("'from', 'to'" in note for note in read_labels(tmp_path / "l.csv").notes)


def test_listed_names_are_names_whatever_they_hold():
    assert listed_names(' "Male speech, man speaking", Bark ,$x$ <b>, =1+1,', "it") == [
        "Male speech, man speaking",
        "Bark",
        "$x$ <b>",
        "=1+1",
    ]
    assert listed_names(" , ,", "it") == []
    with pytest.raises(ValueError, match=r"^it .*: 'café' stands twice"):
        listed_names("caf\u00e9,dog,cafe\u0301", "it")
    with pytest.raises(ValueError, match="a double quote is not closed"):
        listed_names('dog,"cat', "it")
