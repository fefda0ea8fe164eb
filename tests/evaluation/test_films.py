"""Predictions for several films at once: as those one by one, whatever shares a batch with what."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from crossmodal.data import Clip, Preprocess
from crossmodal.evaluation import films as module
from crossmodal.evaluation.films import FilmReader, split_items
from crossmodal.tasks.task import Clips


class Loudest(NamedTuple):
    loudest: Tensor
    sounds: Tensor


class Listener(nn.Module):
    """Tells the loudest second and the mean of each; notes the sizes of its batches."""

    classes, inputs = ("quiet", "loud"), Clips(Preprocess(8, 100))

    def __init__(self):
        super().__init__()
        self.scale, self.batches = nn.Parameter(torch.ones(())), []

    def forward(self, batch):
        self.batches.append(tuple(batch.wave.shape[:2]))
        return Loudest(batch.wave.mean(2).argmax(1), self.scale * batch.wave.mean(2))

    def predict(self, outputs):
        return outputs


class Task:
    """Asks two things of every window."""

    def ask(self, clip, words, classes):
        return Clip(*(torch.stack([part, 2 * part]) for part in clip))


def windows_of(lengths, seed):
    """Windows of one film: those before the last have two seconds."""
    draw = torch.Generator().manual_seed(seed)
    return [Clip(torch.rand(n, 3, 8, 8, generator=draw), torch.rand(n, 100, generator=draw)) for n in lengths]


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    broken=st.sets(st.integers(0, 3)),
    unheard=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3),
    batch_size=st.integers(1, 4),
    threads=st.integers(0, 2),
    kept=st.sampled_from([None, 0, 1]),
)
def test_films_together_are_as_each_alone(counts, broken, unheard, batch_size, threads, kept):
    """Those that break off while they are read fail alone, and so do those in which a window is no number."""
    films = [Path(f"{index}.mp4") for index in range(len(counts))]
    content = {film: windows_of([2] * (count - 1) + [1], count) for film, count in zip(films, counts, strict=True)}

    nan = {film for film, window in unheard if film < len(counts) and window < counts[film]}
    for film, window in unheard:
        if film in nan and window < counts[film]:
            content[films[film]][window].wave[0, 0] = float("nan")

    def read(film, preprocess, segments, moving):
        yield from content[film]
        if int(film.stem) in broken:
            raise ValueError("cut")

    system = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "film_windows", read)
        found = dict(FilmReader(Task(), system, (), 2, batch_size, threads, kept).read(films))
    assert set(found) == set(films)
    for index, film in enumerate(films):
        if index in broken | nan:
            said = str(found[film])
            mend = "'wave' of its items 0, 1. Mend the data" in said
            assert (index in nan) if mend else (index in broken and said == "cut")
            continue
        for number, (window, clip) in enumerate(zip(found[film], content[film], strict=True)):
            alone = Listener()(Task().ask(clip, (), ()))
            assert all(torch.equal(one, other) for one, other in zip(window.prediction, alone, strict=True))
            whole = kept is None or number < kept
            assert torch.equal(window.clip.frames, clip.frames if whole else torch.zeros_like(clip.frames))
    assert max((size for size, _ in system.batches), default=0) <= 2 * batch_size
    if not broken | nan and threads == 0:  # full batches, and every shorter window alone
        two, one = sum(count - 1 for count in counts), len(counts)
        assert len(system.batches) == -(-two // batch_size) + one
    assert all(size == 2 for size, seconds in system.batches if seconds == 1)


def test_what_cannot_share_a_batch_says_so():
    with pytest.raises(ValueError, match=r"field 'sounds' of Loudest holds 2 items of a batch of 3.*--batch_size at 1"):
        split_items(Loudest(torch.zeros(3), torch.zeros(2)), [1, 2])


def test_numbers_that_are_none_are_refused(monkeypatch):
    clip = Clip(torch.zeros(2, 3, 8, 8), torch.full((2, 100), float("nan")))
    monkeypatch.setattr(module, "film_windows", lambda film, preprocess, segments, moving: iter([clip]))
    ((film, error),) = FilmReader(Task(), Listener(), (), 2, threads=0).read([Path("a.mp4")])
    assert film == Path("a.mp4")
    assert "NaN" in str(error)
