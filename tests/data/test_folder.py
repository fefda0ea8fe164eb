"""A folder of one's own videos: what a clip holds, what is kept on disk, and what becomes of files that are broken."""

import gc
import logging
import os
import pickle
import threading
import tracemalloc
import unicodedata
from fractions import Fraction

import pytest
import torch
from films import PLAIN, colour, film, heard, seen, tone
from torch.utils.data import DataLoader

from crossmodal.data import EventWindows, Folder, Preprocess, TrimmedClips, read_clip, read_labels

BLACK, SILENT = [0, 0, 0], 0.0


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two films of three seconds and one of seven."""
    folder = tmp_path_factory.mktemp("own") / "videos"
    (folder / "long").mkdir(parents=True)
    for name, length in (("a.mp4", 3), ("b.avi", 3), ("long/c.mp4", 7)):
        pictures = tuple(Fraction(index, 5) for index in range(5 * length))
        film(folder / name, picture=pictures, sound=(0, length))
    return folder


@pytest.fixture
def own(films, tmp_path):
    """A data set of the films by rows `file,label,start,end`, with a cache of its own."""

    def make(*rows, **options):
        table = tmp_path / "labels.csv"
        table.write_text("\n".join(["file,label,start,end", *rows]) + "\n")
        options = {"segments": 4, "cache": tmp_path / "cache", **options}
        return Folder(options.pop("videos", films), table, options.pop("split", None), PLAIN, **options)

    return make


def shown(clip, classes):
    """What every second of a clip looks like, sounds like, and is called."""
    return list(zip(seen(clip), heard(clip), [(*classes, "-")[label] for label in clip.labels], strict=True))


def second(number, label):
    return colour(number), tone(number), label


def test_a_file_is_cut_into_the_windows_that_its_events_touch(own):
    data = own("long/c.mp4,dog,2.6,5.4", "a.mp4,cat,,", "long/c.mp4,dog,6,7", "long/c.mp4,cat,0,0.2")
    assert data.names == ["long/c.mp4@0s#cat", "long/c.mp4@0s#dog", "long/c.mp4@4s", "a.mp4"]
    assert data.videos == ["long/c.mp4"] * 3 + ["a.mp4"]
    assert data.counts == {"cat": 2, "dog": 2}
    cat, dog, later, short = (shown(clip, data.classes) for clip in data)
    assert cat == [second(0, "cat"), second(1, "-"), second(2, "-"), second(3, "-")]
    assert dog == [second(0, "-"), second(1, "-"), second(2, "-"), second(3, "dog")]
    assert later == [second(4, "dog"), second(5, "-"), second(6, "dog"), (colour(6), SILENT, "-")]
    assert short == [*(second(at, "cat") for at in range(3)), (colour(2), SILENT, "-")]
    data.prepare()
    assert data.filled == (2, 2)


def test_a_row_is_a_clip_that_is_repeated_where_it_is_short(own):
    data = own("long/c.mp4,dog,2.6,4.4", "a.mp4,cat,,", "long/c.mp4,cat,0,7", windowing=TrimmedClips())
    assert data.names == ["long/c.mp4@0s", "long/c.mp4@3s", "a.mp4"]
    whole, part, short = (shown(clip, data.classes) for clip in data)
    assert whole == [second(at, "cat") for at in range(4)]
    assert part == [second(3, "dog")] * 4
    assert short == [second(at, "cat") for at in (0, 1, 2, 0)]


def test_a_clip_is_what_read_clip_reads_to_half_a_level_and_normalised_anew(own, films):
    data = own("a.mp4,cat,,", segments=3)
    exact, found = read_clip(films / "a.mp4", PLAIN), data[0]
    assert (found.frames - exact.frames.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(found.wave, exact.wave)
    before = {file: file.stat().st_mtime_ns for file in (data.cache.folder).rglob("*.safetensors")}
    other = Folder(films, data.labels, None, Preprocess(PLAIN.size, PLAIN.rate), segments=3, cache=data.cache.folder)
    assert not other.undecoded
    plain = other[0].frames * torch.tensor(other.preprocess.std)[:, None, None]
    torch.testing.assert_close(plain + torch.tensor(other.preprocess.mean)[:, None, None], found.frames)
    assert before == {file: file.stat().st_mtime_ns for file in data.cache.folder.rglob("*.safetensors")}


def test_splits_share_no_file_and_miss_none(own):
    rows = [f"{name},{label},," for name in ("a.mp4", "b.avi", "long/c.mp4") for label in "xy"]
    parts = [own(*rows, split=split) for split in ("train", "val", "test")]
    files = [{*part.videos} for part in parts]
    assert sorted(file for part in files for file in part) == ["a.mp4", "b.avi", "long/c.mp4"]
    with pytest.raises(ValueError, match=r"split='valid' must be one of train, val, test, or None for all"):
        own(*rows, split="valid")
    with pytest.raises(
        ValueError, match=r"labels\.csv has no file in the split 'val': write val into the column split"
    ):
        own("a.mp4,x,,", split="val")


def test_what_was_decoded_is_not_decoded_again_whoever_was_stopped(own, films):
    data = own("a.mp4,cat,,", "b.avi,dog,,", "long/c.mp4,dog,5,6")
    tried = []

    def until_the_second(work, files):
        for file in files:
            if tried:
                raise KeyboardInterrupt
            tried.append(file.file)
            yield work(file)

    with pytest.raises(KeyboardInterrupt):
        data.prepare(until_the_second)
    assert [work.file for work in own("a.mp4,cat,,", "b.avi,dog,,").undecoded] == ["b.avi"]
    half = next(data.cache.folder.rglob("*.safetensors")).parent / ".part-1.half"
    half.write_text("half")
    data.prepare()
    assert not half.exists()
    assert not data.undecoded
    assert not list(data.cache.folder.rglob(".part-*"))
    data.prepare(lambda work, files: pytest.fail("nothing is left to do") if files else [])


def test_a_file_that_changed_is_decoded_anew_and_a_damaged_clip_too(own, films, tmp_path, caplog):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes((films / "a.mp4").read_bytes())
    data = own("a.mp4,cat,,", videos=videos)
    first = data[0]
    (stored,) = data.cache.folder.rglob("*.safetensors")
    stored.write_bytes(stored.read_bytes()[:-9])
    assert torch.equal(data[0].frames, first.frames)
    assert "is damaged: its clip is decoded again" in caplog.text
    (videos / "a.mp4").write_bytes((films / "b.avi").read_bytes())
    os.utime(videos / "a.mp4", (1, 1))
    again = own("a.mp4,cat,,", videos=videos)
    assert [work.file for work in again.undecoded] == ["a.mp4"]


@pytest.fixture
def torn(own, films, tmp_path):
    """Five clips, of which two are whole."""
    for name in ("a.mp4", "b.avi"):
        target = tmp_path / "videos" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((films / name).read_bytes())
    (tmp_path / "videos/torn.mp4").write_bytes((films / "a.mp4").read_bytes()[:2000])
    rows = ["a.mp4,cat,,", "torn.mp4,cat,,", "gone.mp4,dog,,", "b.avi,dog,0,2", "b.avi,dog,9,11"]
    return lambda **options: own(*rows, videos=tmp_path / "videos", **options)


def test_broken_files_are_left_out_counted_and_told(torn):
    data = torn()
    assert (len(data), data.left_out, [*data.broken]) == (4, 1, ["gone.mp4"])  # b.avi has two windows
    data.prepare()
    assert (len(data), data.left_out) == (2, 3)
    assert data.names == ["a.mp4", "b.avi@0s"]
    reasons = data.broken
    assert "there is no such file in " in reasons["gone.mp4"]
    assert "labels.csv, line 4" in reasons["gone.mp4"]
    assert "torn.mp4 is no video that FFmpeg can read, or is cut" in reasons["torn.mp4"]
    assert "has 3.04 s of sound with picture: no whole second from 8 s on" in reasons["b.avi"]
    again = torn()
    assert (again.broken, again.names, again.undecoded) == (reasons, data.names, [])
    assert len(list(DataLoader(again, batch_size=1))) == 2


def test_an_event_behind_the_end_of_its_file_is_broken_too(own):
    data = own("a.mp4,dog,3.1,4", "b.avi,dog,,")
    with pytest.raises(
        ValueError, match=r"a\.mp4 cannot be read: its sound with picture ends before the event\. `prep"
    ):
        data[0]
    data.prepare()
    assert data.names == ["b.avi"]
    assert data.broken == {"a.mp4": "sound with picture ends at 3 s, before the event in second 3."}


def test_broken_files_are_refused_where_that_is_asked(torn):
    with pytest.raises(ValueError, match=r"gone\.mp4: there is no such file in .* broken='skip'"):
        torn(broken="raise")
    with pytest.raises(ValueError, match="broken='ignore' must be 'skip' or 'raise'"):
        torn(broken="ignore")


def test_the_first_broken_file_ends_the_preparing_where_that_is_asked(own, films, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("x.mp4", "y.mp4"):
        (tmp_path / "videos" / name).write_text("no film")
    data = own("x.mp4,cat,,", "y.mp4,cat,,", videos=tmp_path / "videos", broken="raise")
    with pytest.raises(ValueError, match=r"x\.mp4: .* is no video .* leave such files out by broken='skip'"):
        data.prepare()


PASSING = {
    "no permission": PermissionError(13, "Permission denied"),
    "too many files": OSError(24, "Too many open files"),
    "no memory": MemoryError(),
}


@pytest.mark.parametrize("every", [False, True], ids=["one of two", "all"])
@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("policy", ["skip", "raise"])
def test_files_that_failed_for_the_machine_are_tried_again(own, monkeypatch, error, every, policy):
    from crossmodal.data.folder import decode

    read = decode.read_spans

    def away(file, spans, plain):
        if every or file.name == "a.mp4":
            raise ValueError("read_clip: no video that FFmpeg can read") from error
        return read(file, spans, plain)

    rows = ("a.mp4,cat,,", "b.avi,dog,,")
    with monkeypatch.context() as held:
        held.setattr(decode, "read_spans", away)
        data = own(*rows, broken=policy)
        if every or policy == "raise":
            with pytest.raises(ValueError, match="no video that FFmpeg can read"):
                data.prepare()
        else:
            data.prepare()
            assert (data.names, own(*rows).names) == (["b.avi"], ["b.avi"])  # splits of one command agree
    again = own(*rows, broken=policy)
    again.prepare()
    assert (again.names, again.broken) == (["a.mp4", "b.avi"], {})


def test_a_file_found_broken_when_it_is_read_raises_and_changes_no_length(torn):
    data = torn()
    with pytest.raises(ValueError, match=r"torn\.mp4 cannot be read: .*`prepare\(\)` finds such files beforehand"):
        data[data.names.index("torn.mp4")]
    assert len(data) == 4


def test_where_nothing_can_be_had_the_first_reason_is_told(own, films):
    with pytest.raises(ValueError, match=r"of the 2 clips none can be had; the first is a: .*; is it 'a\.mp4'\?"):
        own("a,cat,,", "b,cat,,")
    with pytest.raises(FileNotFoundError, match="there is no folder nowhere: give the one that holds the video files"):
        own("a,cat,,", videos="nowhere")
    with pytest.raises(ValueError, match="segments=0 must be at least 1"):
        own("a.mp4,cat,,", segments=0)


def test_a_cache_that_cannot_be_written_is_named(own, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Folder: the cache .*file/cache/ cannot be made: Not a directory; give another"):
        own("a.mp4,cat,,", cache=tmp_path / "file/cache").prepare()


def test_one_process_prepares_and_the_others_wait(own, caplog):
    data, done = own("a.mp4,cat,,"), threading.Event()

    def work():
        data.prepare()
        done.set()

    other = threading.Thread(target=work)
    with data.cache.alone(), caplog.at_level(logging.WARNING):
        other.start()
        assert not done.wait(0.5)
    other.join(30)
    assert done.is_set()
    assert "another process prepares clips in" in caplog.text


def test_workers_read_the_same_clips_decoded_or_not(own):
    rows = ["a.mp4,cat,,", "b.avi,dog,1,2", "long/c.mp4,dog,5,6", "long/c.mp4,cat,1,2"]
    loader = DataLoader(own(*rows), batch_size=2, num_workers=2)
    apart = list(loader)
    alone = list(DataLoader(own(*rows), batch_size=2))
    for found, expected in zip(apart, alone, strict=True):
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
    assert torch.equal(pickle.loads(pickle.dumps(loader.dataset))[3].wave, alone[1].wave[1])


def test_memory_is_a_few_bytes_a_row(tmp_path):
    """Of the names, that is, and of nothing that is read later; 100 000 rows take 15 MB."""

    def kept(rows):
        videos = tmp_path / f"{rows}"
        videos.mkdir()
        for row in range(rows):
            (videos / f"clip{row:06}.mp4").touch()
        table = tmp_path / f"{rows}.csv"
        table.write_text("file,label,start,end\n" + "".join(f"clip{r:06}.mp4,{r % 7},1,4\n" for r in range(rows)))
        gc.collect()
        tracemalloc.start()
        data = Folder(videos, read_labels(table), None, PLAIN, windowing=EventWindows())
        assert len(data) == rows
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size

    few, many = kept(200), kept(1200)
    assert (many - few) / 1000 < 200


@pytest.mark.slow
def test_a_hundred_thousand_files_are_listed_in_seconds(tmp_path):
    import time

    (tmp_path / "videos").mkdir()
    for row in range(100_000):
        (tmp_path / f"videos/clip{row:06}.mp4").touch()
    rows = (f"clip{row:06}.mp4,class{row % 309},{row % 7},{row % 7 + 3}\n" for row in range(100_000))
    (tmp_path / "labels.csv").write_text("file,label,start,end\n" + "".join(rows))
    started = time.process_time()
    parts = [Folder(tmp_path / "videos", tmp_path / "labels.csv", split) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == 100_000
    assert time.process_time() - started < 60  # on a loaded machine; 3 to 9 s on an idle one


def test_a_name_composed_otherwise_is_found_and_is_one_file(tmp_path):
    pictures = [Fraction(step, 5) for step in range(10)]
    videos, names = tmp_path / "videos", [unicodedata.normalize(form, "Bär.mp4") for form in ("NFD", "NFC")]
    videos.mkdir()
    film(videos / names[0], picture=pictures, sound=(0, 2))
    (tmp_path / "l.csv").write_text(f"file,label,start,end\n{names[1]},dog,0,1\n{names[0]},cat,1,2\n", "utf-8")
    data = Folder(videos, tmp_path / "l.csv", None, PLAIN, segments=2)
    assert len(data.labels.files) == 1
    data.prepare()
    assert (len(data), data.broken) == (2, {})


@pytest.mark.parametrize("label", ["background", "Background", "back\u200bground"])
def test_no_event_is_called_background_but_a_clip_may_be(own, label):
    rows = ("a.mp4,dog,0,1", f"b.avi,{label},0,2")
    with pytest.raises(ValueError, match=r"labels\.csv, line 3: the label .* is the name of seconds without an event"):
        own(*rows)
    assert len(own(*rows, windowing=TrimmedClips())) == 2


def test_an_end_far_behind_the_film_is_refused_with_its_line(own):
    for end in ("1e5", "3000", "999999"):
        with pytest.raises(ValueError, match=rf"line 3: end {float(end):g} lies far behind 'a\.mp4', which has 3\.\d"):
            own("b.avi,cat,0,3", f"a.mp4,dog,0,{end}")
    with pytest.raises(ValueError, match="is more seconds than any film has"):
        own("a.mp4,dog,0,1e308")
    assert len(own("a.mp4,dog,0,60")) == 15


def test_an_end_in_milliseconds_leaves_no_clip_of_the_film(own):
    data = own("a.mp4,dog,0,400", "b.avi,cat,0,3")
    data.prepare()
    assert data.videos == ["b.avi"]
    assert "events in it last up to second 400: write start and end in seconds" in data.broken["a.mp4"]


def test_another_decoder_decodes_anew(own, monkeypatch):
    data = own("a.mp4,dog,0,3")
    data.prepare()
    assert not own("a.mp4,dog,0,3").undecoded
    monkeypatch.setattr("av.__version__", "0.0.1")
    assert own("a.mp4,dog,0,3").undecoded
