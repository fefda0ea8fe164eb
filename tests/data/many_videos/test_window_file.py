"""Windows on their way through a file: as they were, in flat memory, late or not."""

import threading
import tracemalloc

import numpy as np
import pytest
import torch

from crossmodal import io
from crossmodal.data import Clip
from crossmodal.data.many_videos.window_file import write_windows
from crossmodal.worker_pool import Failure


def film(count, segments=10):
    """Windows of a film; the last one is shorter."""
    for number in range(count):
        seconds = segments if number < count - 1 else 3
        frames, wave = np.full((seconds, 3, 16, 16), number, np.float32), np.full((seconds, 1000), -number, np.float32)
        yield Clip(torch.from_numpy(frames), torch.from_numpy(wave))


def test_what_goes_in_comes_out(tmp_path):
    written = write_windows(film(3), tmp_path / "new")
    for found, expected in zip(written.windows(), film(3), strict=True):
        assert torch.equal(found.frames, expected.frames)
        assert torch.equal(found.wave, expected.wave)
    assert written.file.name.startswith(".part-")  # a killed command leaves a draft, which the next one removes


def peak(count, folder):
    """Largest memory while a film of so many windows goes through a file."""
    tracemalloc.start()
    for window in write_windows(film(count), folder).windows():
        assert len(window.frames)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_two_hours_take_no_more_memory_than_a_minute(tmp_path):
    whole = 720 * 10 * 4 * (3 * 16 * 16 + 1000)
    assert peak(720, tmp_path) < peak(6, tmp_path) + 0.01 * whole


def test_a_film_that_breaks_off_is_a_failure_and_leaves_no_file(tmp_path):
    def cut():
        yield from film(2)
        raise ValueError("cut")

    assert write_windows(cut(), tmp_path) == Failure("cut")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_ends_the_command(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_windows(film(1), tmp_path / "file")


def test_a_file_that_a_shared_folder_shows_late_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "TICK", 0.01)
    written = write_windows(film(2), tmp_path)
    content = written.file.read_bytes()
    written.file.unlink()

    def appear():
        written.file.write_bytes(content[:100])  # not yet whole
        threading.Timer(0.1, written.file.write_bytes, [content]).start()

    threading.Timer(0.1, appear).start()
    assert len([*written.windows()]) == 2
    written.file.unlink()
    monkeypatch.setattr(io, "SECONDS_TO_APPEAR", 0.05)
    with pytest.raises(
        OSError, match=r"is not seen here after 0.05 s: the workers of a cluster must see the same folders"
    ):
        next(written.windows())
