"""The law of frames: the output of a frame depends on no other frame."""

from collections.abc import Sequence

import torch
from torch import nn

from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, segments_of


@law(5, "frames do not leak")
def frames_do_not_leak(trial: Trial) -> None:
    """In evaluation mode, changing one frame (one clip, of a block with `segments`) changes no other's outputs."""
    trial = trial.exact()
    block = trial.woken()
    before, count = trial.run(block), frames_of(trial)
    for first, last in clips(block, count):
        changed = {name: tensor.clone() for name, tensor in trial.inputs.items()}
        for tensor in changed.values():
            tensor[first:last] += 1
        for name, after in trial.run(block, **changed).items():
            expect(
                len(after) == count,
                f"{name}: expected one entry a frame, shape ({count}, …), found {tuple(after.shape)}",
            )
            expected = before[name].clone()
            expected[first:last] = after[first:last]
            expect_close(f"{name}, frame {first} of {count} changed,", after, expected, tolerance=1e-9)


COUNTS = tuple(range(1, 13))
"""Numbers of clips that a block is called with."""

MANY, PART = 260, 20
"""A long batch of clips, and how many of them are called at a time to compare."""


@law(5, "each frame alone", examples=3)
def each_frame_alone(trial: Trial) -> None:
    """Each frame (clip) alone, the first few of any number, and twenty of 260 give what they give in the batch."""
    in_any_batch(trial, COUNTS)
    of_a_long_batch(trial)


@law(5, "each frame alone", examples=1)
def each_frame_of_an_encoder_alone(trial: Trial) -> None:
    """A frame alone, and the first two, give what they give in a batch of seventeen."""
    in_any_batch(trial, (1, 2, 17), alone=(0, 8, 16))


def of_a_long_batch(trial: Trial) -> None:
    """Raises `Violation` where outputs of a long batch are not those of its parts."""
    trial = trial.exact()
    block = trial.woken()
    segments = segments_of(block)
    trial = trial.longer(segments * MANY)
    with torch.no_grad():
        together = trial.run(block)
        for first in range(0, MANY, PART):
            frames = slice(segments * first, segments * (first + PART))
            for name, found in trial.run(block, **{key: x[frames] for key, x in trial.inputs.items()}).items():
                what = f"{name} of clips {first} to {first + PART - 1} of {MANY}, called without the others,"
                expect_close(what, found, together[name][frames], tolerance=1e-9)


def in_any_batch(trial: Trial, counts: Sequence[int], *, alone: Sequence[int] | None = None) -> None:
    """Raises `Violation` where outputs depend on the number of clips.

    Args:
        trial: The inputs, again and again.
        counts: Numbers of clips; the last is the most.
        alone: Clips that are called alone; by default all.
    """
    trial = trial.exact()
    block = trial.woken()
    segments = segments_of(block)
    trial = trial.longer(segments * counts[-1])
    together = trial.run(block)
    for count in counts:
        for first in (range(counts[-1]) if alone is None else alone) if count == 1 else (0,):
            frames = slice(segments * first, segments * (first + count))
            for name, found in trial.run(block, **{key: x[frames] for key, x in trial.inputs.items()}).items():
                what = f"{name} of clips {first} to {first + count - 1} of {counts[-1]}, called without the others,"
                expect_close(what, found, together[name][frames], tolerance=1e-9)


def frames_of(trial: Trial) -> int:
    """Counts the frames of the inputs."""
    return len(next(iter(trial.inputs.values())))


def clips(block: nn.Module, count: int) -> list[tuple[int, int]]:
    """Returns the first frame of every clip, and the first after it.

    Raises:
        NotApplicable: If there is one clip only.
    """
    segments = segments_of(block)
    if count <= segments:
        raise NotApplicable(f"the trial holds one clip alone: {count} frames, {segments} a clip")
    return [(first, first + segments) for first in range(0, count, segments)]
