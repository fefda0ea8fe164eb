"""The law of frames: the output of a frame depends on no other frame."""

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
