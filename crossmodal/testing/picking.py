"""Measures whether guidance finds what a cue picks: synthetic streams, mean pooling and a linear layer, no encoders."""

import difflib
import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ..adapters import Modulation
from .guidance import AnyGuidanceFactory, takes_bands
from .slots import BAND_OF_TOKEN, CHANNELS, CUES, TASKS, PickingTask
from .trial import segments_of


class Picker(nn.Module):
    """Modulates a stream by one map, pools it by its mean and reads it with a linear layer: a logit a clip."""

    def __init__(self, guidance: nn.Module | None, *, gain: float):
        """Builds the model.

        Args:
            guidance: Makes the map, which adds to a factor of one; `None` leaves pooling alone.
            gain: Factor of the pooled vectors.
        """
        super().__init__()
        self.modulation = Modulation({} if guidance is None else {"map": (guidance, 1.0)}, base=1.0)
        self.readout = nn.Linear(CHANNELS, 1)
        self.gain = gain

    def forward(self, stream: Tensor, cue: Tensor, segments: int) -> Tensor:
        """Computes the logits: `(frame, token, channel)`, `(frame, cue_channel)` → `(clip,)`."""
        vectors = self.modulation(stream, cue).stream.mean(1)
        return self.readout(self.gain * torch.unflatten(vectors, 0, (-1, segments)).mean(1))[:, 0]


def picks(
    factory: AnyGuidanceFactory | None,
    task: str | PickingTask,
    *,
    seed: int = 0,
    steps: int = 400,
    shuffled: bool = False,
) -> float:
    """Trains guidance to let through what the cue picks, and returns its accuracy on new clips; chance is 0.5.

    Only the guidance and a linear layer on the mean of the modulated stream are trained. A clip has the `segments` that
    the block names, and at least those of the task.

    Args:
        factory: Called as by `check_guidance`; `None` is mean pooling alone.
        task: A name of `crossmodal.testing.slots.TASKS` (`"channel"`, `"token"`, `"band"`, `"second"`,
            `"own second"`), or a task of your own.
        seed: Seed of weights and clips; torch's own generator is left as it was.
        steps: Batches of 64 frames, every clip new; the optimizer is Adam.
        shuffled: Gives every clip the cue of another, which picks nothing.

    Raises:
        ValueError: If there is no such task.
    """
    chosen = task if isinstance(task, PickingTask) else task_named(task)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        given = {"bands": BAND_OF_TOKEN} if factory and takes_bands(factory) else {}
        guidance = factory(CHANNELS, CUES, **given) if factory else None
        picker = Picker(guidance, gain=chosen.gain * chosen.slots)
    segments = 1 if guidance is None else segments_of(guidance)
    segments *= math.ceil(chosen.segments / segments)
    generator = Generator().manual_seed(seed)

    def batch(clips: int) -> tuple[Tensor, Tensor]:
        drawn = chosen.draw(clips, generator, segments=segments, shuffled=shuffled)
        return picker(drawn.stream, drawn.cue, segments), drawn.label

    # parameters this small cost more in calls than in work
    optimizer = torch.optim.Adam(picker.parameters(), lr=5e-3, fused=True)
    for _ in range(steps):
        logits, label = batch(max(64 // segments, 8))
        loss = F.binary_cross_entropy_with_logits(logits, label.to(logits.dtype))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.inference_mode():
        logits, label = batch(1000)
    return ((logits > 0) == label).double().mean().item()


def task_named(task: str) -> PickingTask:
    """Returns the task of that name."""
    if task not in TASKS:
        near = difflib.get_close_matches(task, TASKS, n=1) or list(TASKS)
        raise ValueError(f"picks: there is no task {task!r}; did you mean {' or '.join(map(repr, near))}?")
    return TASKS[task]
