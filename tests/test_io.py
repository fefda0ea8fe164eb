"""Files and folders are written whole or not at all, and a folder is held by one process."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.io import (
    is_draft,
    make_folder,
    missing_folders,
    remove_drafts,
    remove_empty,
    whole_file,
    whole_folder,
    write_whole,
)


def full(*_):
    raise OSError(28, "No space left on device")


@given(st.integers(0, 3), st.integers(0, 4))
def test_empty_folders_are_removed_by_who_made_them(there, filled):
    parts = "abcd"
    with TemporaryDirectory() as root:
        place = Path(root, *parts)
        Path(root, *parts[:there]).mkdir(parents=True, exist_ok=True)
        missing = missing_folders(place)
        make_folder(place)
        if filled:
            Path(root, *parts[:filled], "file").touch()
        remove_empty(missing)
        left = max(there, filled)
        assert Path(root, *parts[:left]).is_dir()
        assert left == 4 or not Path(root, *parts[: left + 1]).exists()


@pytest.mark.parametrize("content", ["größer", b"bytes", memoryview(b"view")])
def test_what_is_written_is_read(tmp_path, content):
    write_whole(tmp_path / "file.txt", content)
    expected = content.encode() if isinstance(content, str) else bytes(content)
    assert (tmp_path / "file.txt").read_bytes() == expected
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_a_full_disk_leaves_what_was_there_and_says_so(tmp_path, monkeypatch, call):
    write_whole(tmp_path / "file.txt", "before")
    monkeypatch.setattr(call, full)
    with pytest.raises(OSError, match=r"Mine: .*file\.txt cannot be written: No space left on device; go elsewhere\."):
        write_whole(tmp_path / "file.txt", "after", before="Mine: ", fix="go elsewhere")
    assert (tmp_path / "file.txt").read_text() == "before"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_draft_keeps_the_suffix_and_goes_with_any_error(tmp_path):
    def stopped(draft):
        assert draft.suffix == ".png"
        draft.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "plot.png") as draft:
        stopped(draft)
    assert not os.listdir(tmp_path)


def test_other_errors_of_a_writer_are_worded_where_they_are_named(tmp_path):
    with pytest.raises(OSError, match="cannot be written: no room"), whole_file(tmp_path / "a", errors=(LookupError,)):
        raise LookupError("no room")
    with pytest.raises(LookupError), whole_file(tmp_path / "a"):
        raise LookupError("no room")


def test_a_folder_is_replaced_by_a_whole_one_alone(tmp_path):
    for text in "before", "after":
        with whole_folder(tmp_path / "folder") as draft:
            (draft / "file").write_text(text)
    with pytest.raises(OSError, match="No space"), whole_folder(tmp_path / "folder") as draft:
        full((draft / "file").write_text("half"))
    assert (tmp_path / "folder/file").read_text() == "after"
    assert os.listdir(tmp_path) == ["folder"]


def test_drafts_of_killed_processes_are_told_from_all_else(tmp_path):
    (tmp_path / ".part-1.folder").mkdir()
    for name in ".part-1.file", ".hidden", "file.part-1":
        (tmp_path / name).touch()
    assert {path.name for path in tmp_path.iterdir() if is_draft(path)} == {".part-1.folder", ".part-1.file"}
    remove_drafts(tmp_path, tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == [".hidden", "file.part-1"]
