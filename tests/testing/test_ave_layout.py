"""The small data set in AVE's layout."""

import pytest

from crossmodal.data.annotations import AVE_CLASSES, read_events
from crossmodal.testing.ave_layout import write_ave


def files(root):
    return {file.relative_to(root): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_ave(tmp_path / name, {"train": 1}, frames=2, size=(8, 8), wave_rate=100)
    write_ave(tmp_path / "three", {"train": 1}, frames=2, size=(8, 8), wave_rate=100, seed=1)
    assert files(tmp_path / "one") == files(tmp_path / "two") != files(tmp_path / "three")


def test_the_annotations_hold_the_events_of_all_splits(tmp_path):
    events = write_ave(tmp_path, {"train": 2, "test": 1}, frames=1, size=(8, 8), wave_rate=100)
    assert read_events(tmp_path / "Annotations.txt", AVE_CLASSES, 10) == events
    assert read_events(tmp_path / "testSet.txt", AVE_CLASSES, 10) == events[2:]


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"write_ave: root=.* is not empty: give a new folder"):
        write_ave(tmp_path)
    assert files(tmp_path).keys() == {(tmp_path / "thesis.txt").relative_to(tmp_path)}
