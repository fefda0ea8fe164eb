"""A table of labels: what is read of it, what is refused and how, and how files are drawn."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data import read_labels
from crossmodal.data.folder.labels import event_seconds
from crossmodal.data.folder.packed_strings import PackedStrings
from crossmodal.data.folder.splitting import stratified, wanted
from crossmodal.data.folder.table_rows import read_text_rows

HEAD = "file,label,start,end,split\n"


@pytest.fixture
def table(tmp_path):
    def write(text, **options):
        (tmp_path / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_labels(tmp_path / "labels.csv", **options)

    return write


def rows_of(labels):
    columns = labels.rows
    return [
        (labels.files[file], labels.classes[label], start, end)
        for file, label, start, end in zip(columns.file, columns.label, columns.start, columns.end, strict=True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "file,label,start,end,author\na.mp4,dog,1,2.5,me\nb/b.mp4,cat,,,\n",
        "author;end;start;label;file\nme;2.5;1;dog;a.mp4\n;;;cat;b/b.mp4\n",
        "file\tlabel\tstart\tend\r\na.mp4\tdog\t1\t2.5\r\n\r\nb/b.mp4\tcat\t\t\r\n",
        '\ufeff"file","label","start","end"\n"a.mp4"," dog ","1","2.5"\n"b/b.mp4","cat","",""\n',
        "file|label|start|end\n./a.mp4|dog|1e0|2.5\nb//b.mp4|cat||",
    ],
)
def test_any_delimiter_order_quoting_and_mark_give_the_same_rows(table, text):
    (first, second) = rows_of(labels := table(text))
    assert labels.classes == ("cat", "dog")
    assert first == ("a.mp4", "dog", 1.0, 2.5)
    assert second[:2] == ("b/b.mp4", "cat")
    assert math.isnan(second[2])
    assert math.isnan(second[3])


def test_names_are_unicode_and_may_hold_the_delimiter(table):
    assert rows_of(table('file,label\n"größe, 2.mp4",Bär\n'))[0][:2] == ("größe, 2.mp4", "Bär")


def test_classes_may_be_given_and_keep_their_order(table):
    labels = table("file,label\na.mp4,dog\n", classes=["zebra", "dog"])
    assert labels.classes == ("zebra", "dog")
    assert labels.rows.label.tolist() == [1]
    assert "no file has zebra" in labels.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "clip,label\na,b\n",
            r"labels\.csv, line 1: 'clip,label' lacks the column 'file': name the columns file,label",
        ),
        ("file\na\n", "lacks the column 'label'"),
        ("", "lacks the column 'file'"),
        ("file,label,label\na,b,c\n", "the column 'label' is there twice: remove one"),
        ("file,label,splt\na,b,c\n", "the column 'splt' is not known: is it 'split'?"),
        ("file,label,Start,End\na,b,1,2\n", "the column 'Start' is not known: is it 'start'?"),
        ("file,label,start\na,b,1\n", "start and end go together: add the other one"),
        ("file,label\n", "has no row below the names of its columns"),
        ("file,label\na.mp4\n", "line 2: the label is empty: fill it in"),
        ("file,label\na.mp4,b,c\n", "line 2: more fields than the 2 columns file,label: put quotes"),
        ("file,label\na.mp4,b,c,d,e\n", "line 2: more fields than the 2 columns"),
        ("file,label\n\na.mp4,b\na.mp4,b,c,d\n", "line 4: more fields than the 2 columns"),
        ('file,label,said\na.mp4,b,"two\nlines"\n,b,\n', "line 4: the file is empty"),
        ('file,label\n"a\n.mp4",b\n', r"line 2: the file 'a\\n\.mp4' holds a line break: a quote is missing"),
        ('file,label\na,b\nc,"d\ne,f\ng,"h"\n', r"line 3: is no CSV .*a quote opens there"),
        ("file,label\na,b\nfile,label\n", "line 3: 'file,label' names the columns once more"),
        ("file,label\na,b\n\ufefffile , label\n", "line 3: 'file,label' names the columns once more"),
        ("file,label\na,b\nc,d\0\n", r"line 3: the label 'd\\x00' holds the control character"),
        ("file,label\na,\u200b\n", "line 2: the label is empty"),
        (HEAD + "a,b,1,1e308,\n", "line 2: end '1e308' is more seconds than any film has: write seconds"),
        ("file,label\na.mp4,b\n,b\n", "line 3: the file is empty: fill it in, or remove the row"),
        ("file,label\na.mp4, \n", "line 2: the label is empty"),
        ("file,label\n/tmp/a.mp4,b\n", "line 2: the file '/tmp/a.mp4' must be a path within the folder of videos"),
        ("file,label\n../a.mp4,b\n", r"the file '\.\./a\.mp4' must be a path within"),
        (HEAD + "a,b,2,1,\n", "line 2: end '1' must lie behind start '2': correct one"),
        (HEAD + "a,b,2,2,\n", "end '2' must lie behind start '2'"),
        (HEAD + "a,b,1:20,90,\n", r"start '1:20' is no number of seconds: write it as in 12\.5"),
        (HEAD + "a,b,-1,90,\n", "start '-1' is no number of seconds"),
        (HEAD + "a,b,1,inf,\n", "end 'inf' is no number of seconds"),
        (HEAD + "a,b,1,,\n", "start '1' and end '' go together: give both, or leave both empty"),
        (HEAD + "a,b,,,validation\n", "line 2: the split 'validation' is none of train, val, test: write one"),
        (HEAD + "a,b,,,train\nc,b,,,\n", "line 3: the split is empty, but 1 rows have one: fill in all, or none"),
        (HEAD + "a,b,,,train\na,c,,,test\n", "line 3: 'a' is in test, but in train in line 2: a file belongs to one"),
        ("file,label\na,b\nc,b\na,b\n", "line 4: 'a' with 'b' is in line 2 already, at the same time: remove one"),
        (HEAD + "a,b,1,2,\na,b,1.0,2,\n", "line 3: 'a' with 'b' is in line 2 already"),
        (b"file,label\na,\xfc\n", "is not UTF-8 .*: save it as UTF-8"),
        ('file,label\na,"b\n', "is no CSV .*EOF inside string"),
    ],
)
def test_what_is_wrong_is_named_with_line_value_and_fix(table, text, words):
    with pytest.raises(ValueError, match=words):
        table(text)


def test_a_label_that_is_none_of_the_classes_is_named_with_a_near_miss(table):
    with pytest.raises(ValueError, match=r"line 2: the label 'dgo' is none of the 2 classes: did you mean 'dog'\?"):
        table("file,label\na,dgo\n", classes=["cat", "dog"])


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"there is no file .*nowhere\.csv: give a CSV of the columns file,label"
    ):
        read_labels(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 3, (0, 3)),
        (1.5, 3.2, (1, 3)),
        (1.6, 3.6, (2, 4)),
        (2.6, 2.9, (2, 3)),
        (2.8, 3.4, (3, 4)),
        (0.0, 0.1, (0, 1)),
    ],
)
def test_a_second_belongs_to_the_event_that_holds_its_middle(start, end, expected):
    assert event_seconds(start, end) == expected


@settings(max_examples=25)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=6), st.integers(0, 5))
def test_every_class_is_split_by_its_share(sizes, seed):
    labels = [[label] for label, size in enumerate(sizes) for _ in range(size)]
    split = stratified([f"{at}.mp4" for at in range(len(labels))], labels, seed)
    found = Counter(zip((label for (label,) in labels), split.tolist(), strict=True))
    for label, size in enumerate(sizes):
        counts = [found[label, part] for part in range(3)]
        assert counts == wanted(size)
        assert counts[0] >= 1
        assert sum(counts) == size
        assert size < 3 or min(counts) >= 1
        assert size < 10 or abs(counts[0] / size - 0.8) < 0.1


@settings(max_examples=25)
@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=12), st.integers(0, 5), st.randoms())
def test_files_of_several_classes_train_every_class_in_any_order_of_rows(labels, seed, random):
    files = {f"{at}.mp4": sorted(each) for at, each in enumerate(labels)}
    split = dict(zip(files, stratified(list(files), list(files.values()), seed).tolist(), strict=True))
    assert {label for name in files if split[name] == 0 for label in files[name]} == set().union(*labels)
    order = random.sample(list(files), len(files))
    again = stratified(order, [files[name] for name in order], seed).tolist()
    assert dict(zip(order, again, strict=True)) == split


def test_rows_of_a_file_stay_together_and_another_seed_is_another_split(table):
    text = "file,label,start,end\n" + "".join(
        f"{at}.mp4,{'ab'[at % 2]},{k},{k + 1}\n" for at in range(40) for k in (0, 5)
    )
    first, again, other = table(text), table(text), table(text, seed=1)
    assert len(first.files) == 40
    assert first.splits.tolist() == again.splits.tolist() != other.splits.tolist()
    assert Counter(first.splits.tolist()) == {0: 32, 1: 4, 2: 4}
    assert first.notes == ("files drawn by class and file with seed 0",)


def test_rare_classes_are_told(table):
    labels = table(
        "file,label\n" + "".join(f"{at}.mp4,common\n" for at in range(9)) + "x.mp4,once\ny.mp4,two\nz.mp4,two\n"
    )
    assert labels.notes[1:] == (
        "val has no file of once (1), two (2) (files in all)",
        "test has no file of once (1) (files in all)",
    )


def test_texts_are_a_sequence():
    texts = PackedStrings(["a", "", "größe"])
    assert list(texts) == ["a", "", "größe"]
    assert (texts[-1], texts[0:2], len(texts)) == ("größe", ["a", ""], 3)
    with pytest.raises(IndexError):
        texts[3]


CELLS = st.sampled_from(["", "1", "2.5", "seen"])


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3), st.booleans())
def test_columns_without_a_name_are_told_or_refused_where_they_may_be_times(tmp_path_factory, cells, timed):
    file = tmp_path_factory.mktemp("table") / "labels.csv"
    rows = [f"{at}.mp4,dog,{one},{other}" + ",0,1" * timed for at, (one, other) in enumerate(cells)]
    file.write_text("\n".join(["file,label,," + ",start,end" * timed, *rows]) + "\n")
    if not timed and any(set(pair) <= {"1", "2.5"} for pair in cells):
        with pytest.raises(ValueError, match=r"columns 3 and 4 have no name, but hold numbers .* name them start and"):
            read_text_rows(file)
        return
    told = " ".join(read_text_rows(file).notes)
    for at in (0, 1):
        assert (f"column {at + 3} (without a name)" in told) == any(pair[at] for pair in cells)
