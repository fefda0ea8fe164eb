"""The clips of the picking tasks are honest: without the cue nothing knows the label, nor does the cue alone."""

import pytest
import torch

from crossmodal.testing.slots import BAND_OF_TOKEN, BANDS, CHANNELS, CUES, QUIET, TASKS, TIMES

EVERY = pytest.mark.parametrize("name", TASKS)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def signs_of(name: str, clips: int = 6) -> torch.Tensor:
    """Balanced signs, none like its neighbour."""
    return torch.tensor([1.0, -1.0]).repeat(clips, TASKS[name].slots // 2)


@EVERY
def test_the_stream_does_not_know_what_is_picked(name):
    task, signs = TASKS[name], signs_of(name)
    streams = [task.lay(signs, torch.full((6,), slot), task.segments, generator())[0] for slot in range(task.slots)]
    assert all(torch.equal(stream, streams[0]) for stream in streams)


@EVERY
def test_the_cue_does_not_know_the_signs(name):
    task, signs, picked = TASKS[name], signs_of(name), torch.arange(6) % TASKS[name].slots
    _, cue = task.lay(signs, picked, task.segments, generator())
    assert torch.equal(cue, task.lay(-signs, picked, task.segments, generator())[1])
    assert cue.shape == (6, task.segments, CUES)


@EVERY
def test_both_labels_are_as_likely_for_every_stream(name):
    """Over the slots that could be picked, a stream has as many plus as minus."""
    task = TASKS[name]
    drawn = task.draw(2000, generator(), segments=task.segments)
    assert drawn.stream.shape == (2000 * task.segments, BANDS * TIMES, CHANNELS)
    assert 0.45 < drawn.label.double().mean() < 0.55


@pytest.mark.parametrize("name", [name for name in TASKS if name != "channel"])
def test_the_mean_over_a_clip_holds_nothing(name):
    task = TASKS[name]
    drawn = task.draw(50, generator(), segments=task.segments)
    means = drawn.stream.unflatten(0, (50, -1)).mean((1, 2))
    torch.testing.assert_close(means, torch.zeros_like(means), atol=2e-6, rtol=0)


def test_the_mean_over_a_clip_is_the_signs_of_the_channels():
    signs = signs_of("channel")
    stream, _ = TASKS["channel"].lay(signs, torch.zeros(6, dtype=torch.long), 2, generator())
    expected = torch.nn.functional.pad(QUIET * signs, (0, CHANNELS - 8))[:, None].expand(-1, 2, -1)
    torch.testing.assert_close(stream.mean(2), expected, atol=1e-6, rtol=0)
    assert stream.std(2).min() > 10 * QUIET * 0.4  # under noise


def test_a_band_holds_nothing_of_its_tokens():
    """So that guidance over bands cannot pick a token."""
    drawn = TASKS["token"].draw(50, generator())
    bands = drawn.stream.unflatten(1, (BANDS, TIMES)).mean(2)
    torch.testing.assert_close(bands, torch.zeros_like(bands), atol=2e-6, rtol=0)


def test_the_mean_of_a_band_is_its_key_and_its_sign():
    signs, picked = signs_of("band"), torch.zeros(6, dtype=torch.long)
    stream, cue = TASKS["band"].lay(signs, picked, 1, generator())
    means = stream[:, 0].unflatten(1, (BANDS, TIMES)).mean(2)
    torch.testing.assert_close(means[..., CUES], signs)
    assert torch.equal(means[:, 0, :CUES].argmax(-1), cue[:, 0].argmax(-1))
    assert tuple(token // TIMES for token in range(BANDS * TIMES)) == BAND_OF_TOKEN


@pytest.mark.parametrize(("name", "ahead"), [("second", 1), ("own second", 0)])
def test_the_cue_speaks_once(name, ahead):
    stream, cue = TASKS[name].lay(signs_of(name, 4), torch.arange(4), 10, generator())
    spoken = cue.abs().sum(-1).nonzero()
    assert spoken.tolist() == [[clip, 2 * clip + 1 - ahead] for clip in range(4)]
    assert bool(stream[torch.arange(4), spoken[:, 1]].any()) is not bool(ahead)


def test_shuffled_cues_are_those_of_other_clips():
    task = TASKS["token"]
    right, wrong = task.draw(5, generator()), task.draw(5, generator(), shuffled=True)
    assert torch.equal(wrong.cue, right.cue.roll(1, 0))
    assert torch.equal(wrong.stream, right.stream)
    assert torch.equal(wrong.label, right.label)


def test_a_clip_too_short_is_refused():
    with pytest.raises(ValueError, match=r"PickingTask: segments=4 must be at least 10, as this task needs"):
        TASKS["second"].draw(2, generator(), segments=4)
