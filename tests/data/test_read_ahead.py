"""Films read ahead by threads: every window once and in order, one failure alone, and no thread left behind."""

import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data import Clip
from crossmodal.data.read_ahead import read_ahead


def numbered(film, count, *, fails=False):
    """Windows that carry their film and number."""
    for number in range(count):
        yield Clip(torch.tensor([[float(film.stem), number]]), torch.zeros(1))
    if fails:
        raise ValueError(f"{film} is cut")


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    broken=st.sets(st.integers(0, 4)),
    threads=st.integers(0, 3),
    ahead=st.integers(0, 3),
)
def test_every_window_comes_once_in_order_and_every_film_ends_once(counts, broken, threads, ahead):
    films = [Path(f"{index}.mp4") for index in range(len(counts))]

    def read(film):
        return numbered(film, counts[int(film.stem)], fails=int(film.stem) in broken)

    pieces = list(read_ahead(films, read, threads=threads, ahead=ahead))
    for index, film in enumerate(films):
        *clips, end = [content for of, content in pieces if of == film]
        assert [clip.frames.tolist() for clip in clips] == [[[index, number]] for number in range(counts[index])]
        assert isinstance(end, ValueError) if index in broken else end is None


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_at_most_so_many_windows_wait_and_whoever_stops_leaves_no_thread(threads):
    before, read_so_far = threading.active_count(), []

    def read(film):
        for clip in numbered(film, 1000):
            read_so_far.append(film)
            yield clip

    pieces = read_ahead([Path(f"{index}.mp4") for index in range(4)], read, threads=threads, ahead=2)
    next(pieces)
    pieces.close()
    assert threading.active_count() == before
    # one taken, two in the queue, and one in the hand of every thread
    assert len(read_so_far) <= 1 + (2 + threads if threads else 0)
