"""AVE's rows and labels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.annotations import (
    ANNOTATION_HEADER,
    AVE_CLASSES,
    Event,
    event_labels,
    read_classes,
    read_events,
    told_events,
)

ROW = "Church bell&MH3m4AwEcRY&good&6&8"


def write(folder, text):
    file = folder / "Annotations.txt"
    file.write_text(text, "utf-8", newline="")
    return file


def test_the_28_classes_are_distinct_and_in_the_released_order():
    assert len(set(AVE_CLASSES)) == 28
    assert [AVE_CLASSES.index(name) for name in ("Church bell", "Violin, fiddle", "Cat", "Mandolin")] == [0, 7, 22, 27]


events = st.builds(
    lambda category, video, times: Event(category, video, *sorted(times)),
    st.sampled_from(AVE_CLASSES),
    st.text("abcXYZ019_-", min_size=11, max_size=11),
    st.tuples(st.integers(0, 10), st.integers(0, 10)),
)


@given(rows=st.lists(events, min_size=1, max_size=5), header=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(tmp_path_factory, rows, header, end):
    lines = [ANNOTATION_HEADER] * header + [f"{row.category}&{row.video}&good&{row.start}&{row.end}" for row in rows]
    file = write(tmp_path_factory.mktemp("rows"), end.join(lines) + end)
    assert read_events(file, AVE_CLASSES, 10) == rows


@given(events)
def test_labels_are_the_class_from_start_up_to_end(event):
    labels = event_labels(event, AVE_CLASSES, 10)
    for second, label in enumerate(labels.tolist()):
        assert label == (AVE_CLASSES.index(event.category) if event.start <= second < event.end else 28)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Church bell&MH3m4AwEcRY&6&8", "4 fields, expected the five of Category&VideoID&Quality&StartTime&EndTime"),
        ("Church bell,MH3m4AwEcRY,good,6,8", "1 fields, expected the five"),
        (
            "Violin, fidle&MH3m4AwEcRY&good&6&8",
            "'Violin, fidle' is none of the 28 categories. Did you mean 'Violin, fiddle'?",
        ),
        (
            "Zither&MH3m4AwEcRY&good&6&8",
            "'Zither' is none of the 28 categories. Correct it, or list it in categories.txt.",
        ),
        ("Church bell&&good&6&8", "'' is no video id"),
        ("Church bell&../../secret&good&6&8", "'../../secret' is no video id: it must be a plain file name"),
        ("Church bell&..&good&6&8", "'..' is no video id: it must be a plain file name"),
        ("Church bell&a\\b&good&6&8", r"'a\\b' is no video id: it must be a plain file name"),
        ("Church bell&a\x07&good&6&8", r"'a\x07' is no video id: it holds the control character '\x07'"),
        (
            "Church bell&MH3m4AwEcRY&good&six&8",
            "StartTime 'six' and EndTime '8' must be whole seconds, 0 ≤ start ≤ end ≤ 10",
        ),
        ("Church bell&MH3m4AwEcRY&good&8&6", "StartTime '8' and EndTime '6'"),
        ("Church bell&MH3m4AwEcRY&good&-1&6", "StartTime '-1'"),
        ("Church bell&MH3m4AwEcRY&good&0&11", "StartTime '0' and EndTime '11'"),
        ("Church bell&MH3m4AwEcRY&good&0.5&3", "StartTime '0.5'"),
    ],
)
def test_a_line_that_does_not_parse_is_named_with_file_number_and_text(tmp_path, line, reason):
    file = write(tmp_path, f"{ANNOTATION_HEADER}\n{ROW}\n\n{line}\n")
    with pytest.raises(ValueError, match="AVE: ") as caught:
        read_events(file, AVE_CLASSES, 10)
    assert f"{file}, line 4: {line!r}: {reason}" in str(caught.value)


def test_a_file_without_rows_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Annotations\.txt holds no row: copy the released file"):
        read_events(write(tmp_path, f"{ANNOTATION_HEADER}\n"), AVE_CLASSES, 10)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"AVE: .*testSet\.txt is missing: copy the released file there"):
        read_events(tmp_path / "testSet.txt", AVE_CLASSES, 10)


def test_rows_that_stand_twice_and_videos_of_two_splits_are_told():
    one, other, third = (Event("Cat", name, 0, 5) for name in "abc")
    assert told_events({"train": [one, one._replace(start=6, end=8)], "test": [other]}) == []
    assert told_events({"train": [one, third, one], "val": [other], "test": [other, one]}) == [
        "1 rows of train stand twice, the first a (Cat, 0-5 s): all are kept",
        "1 videos of test stand in train, too, the first a: scores on them are not of unseen ones",
    ]


def test_categories_are_one_a_line(tmp_path):
    assert read_classes(write(tmp_path, "Violin, fiddle\nCat\n")) == ("Violin, fiddle", "Cat")


@pytest.mark.parametrize("name", ["background", "Background", "ＢＡＣＫＧＲＯＵＮＤ", "back\u200bground", "bасkground"])
def test_no_category_has_the_name_of_seconds_without_an_event(tmp_path, name):
    with pytest.raises(ValueError, match=r"Annotations\.txt lists '.*', the name of seconds without an event: remove"):
        read_classes(write(tmp_path, f"Cat\n{name}\n"))
    assert read_classes(write(tmp_path, "Cat\nBackground music\n")) == ("Cat", "Background music")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("# the classes of our release", "reads as a comment, but every line is a category"),
        ("Dog\x00", r"'Dog\\x00' holds the control character '\\x00'"),
        ("\x1a", r"holds the control character '\\x1a'"),
        ("Dog\x1cHorse", "holds a line break"),
        ("Dog\u2028Horse", "holds a line break"),
    ],
)
def test_a_line_that_is_no_category_is_named(tmp_path, line, reason, end):
    with pytest.raises(ValueError, match=f"Annotations\\.txt, line 3: .*{reason}: remove it"):
        read_classes(write(tmp_path, end.join(["Cat", "", line, "Bird", ""])))
    assert read_classes(write(tmp_path, end.join([" Cat\t", "", "\x0c", "C# flute"]))) == ("Cat", "C# flute")


@pytest.mark.parametrize(("text", "reason"), [("Cat\nDog\nCat\n", "lists 'Cat' twice"), ("\n", "lists no category")])
def test_categories_that_are_no_vocabulary_are_named(tmp_path, text, reason):
    with pytest.raises(ValueError, match=f"{reason}: one name a line, each once"):
        read_classes(write(tmp_path, text))
