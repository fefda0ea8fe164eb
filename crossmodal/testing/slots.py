"""Synthetic streams whose label stands in one slot that only a cue can name: a channel, a token, a band or a second.

Every slot holds a sign, as many plus as minus, and the label of a clip is the sign in the slot that is picked. Neither
the stream nor the cue alone holds the label, and the mean over a stream is the same for either label: a model must let
the cue weigh the right slot more than the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

BANDS, TIMES, CHANNELS, CUES = 4, 4, 32, 16
BAND_OF_TOKEN = tuple(band for band in range(BANDS) for _ in range(TIMES))
SHOWING = (1, 3, 5, 7)
"""Seconds that show a sign; in the others the stream is empty, and the cue may be there."""
QUIET = 1 / 16
"""Amplitude of a sign or a key beside noise that cancels exactly, over a frame or over a band, and not before."""

Lay = Callable[[Tensor, Tensor, int, Generator], tuple[Tensor, Tensor]]
"""`(signs (clip, slot), picked (clip,), segments, generator)` → stream and cue, `(clip, segment, …)`."""


class PickingClips(NamedTuple):
    """Holds clips of a task.

    Attributes:
        stream: `(frame, token, channel)`: 4 bands of 4 tokens, 32 channels.
        cue: `(frame, cue_channel)`, 16 wide.
        label: True where the sign in the picked slot is plus, `(clip,)`.
    """

    stream: Tensor
    cue: Tensor
    label: Tensor


@dataclass(frozen=True)
class PickingTask:
    """Draws clips in which the cue picks one of several slots.

    Attributes:
        slots: Number of slots.
        lay: Writes signs into streams, and the picked slot into cues.
        groups: Number of runs of slots; signs balance within each.
        segments: Seconds that a clip must have.
        gain: Factor by which the mean over a clip hides the sign of one slot.
    """

    slots: int
    lay: Lay
    groups: int = 1
    segments: int = 1
    gain: float = 1.0

    def draw(self, clips: int, generator: Generator, *, segments: int = 1, shuffled: bool = False) -> PickingClips:
        """Draws clips.

        Args:
            clips: Number of clips.
            generator: Source of randomness.
            segments: Frames of a clip.
            shuffled: Gives every clip the cue of another.

        Raises:
            ValueError: If the task needs more segments.
        """
        if segments < self.segments:
            raise ValueError(f"PickingTask: segments={segments} must be at least {self.segments}, as this task needs.")
        # ranks of random numbers: as many plus as minus in every group, in random places
        order = torch.rand(clips, self.groups, self.slots // self.groups, generator=generator).argsort(2)
        signs = torch.where(order < order.shape[2] // 2, 1.0, -1.0).flatten(1)
        picked = torch.randint(self.slots, (clips,), generator=generator)
        stream, cue = self.lay(signs, picked, segments, generator)
        label = signs.gather(1, picked[:, None])[:, 0] > 0
        return PickingClips(stream.flatten(0, 1), (cue.roll(1, 0) if shuffled else cue).flatten(0, 1), label)


def one_of(indices: Tensor, count: int = CUES) -> Tensor:
    """Returns one-hot vectors of a standard deviation of about one."""
    return F.one_hot(indices, count) * count**0.5


def widened(stream: Tensor) -> Tensor:
    """Pads with empty channels, up to the width of all tasks."""
    return F.pad(stream, (0, CHANNELS - stream.shape[-1]))


def centred(tensor: Tensor, dim: int) -> Tensor:
    """Subtracts the mean."""
    return tensor - tensor.mean(dim, keepdim=True)


def in_channels(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Lays a sign in every channel of all tokens, under noise that cancels over the tokens of a frame, not before."""
    noise = torch.randn(len(signs), segments, BANDS * TIMES, CHANNELS, generator=generator)
    cue = one_of(picked)[:, None].expand(-1, segments, -1)
    return widened(QUIET * signs)[:, None, None] + centred(noise, 2), cue


def in_tokens(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Lays a sign in every token, beside its key; both cancel over every band. The cue is the key of the picked one."""
    keys = torch.rand(len(signs), BANDS * TIMES, generator=generator).argsort(1)
    shown = centred(torch.unflatten(one_of(keys), 1, (BANDS, TIMES)), 2).flatten(1, 2)
    stream = widened(torch.cat([shown, signs[..., None]], dim=-1))
    cue = one_of(keys.gather(1, picked[:, None]))
    return stream[:, None].expand(-1, segments, -1, -1), cue.expand(-1, segments, -1)


def in_bands(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Lays a sign in every band, beside its key, under noise that cancels over the band: no single token tells it."""
    keys = torch.rand(len(signs), CUES, generator=generator).argsort(1)[:, :BANDS]
    noise = centred(torch.randn(len(signs), segments, BANDS, TIMES, CUES, generator=generator), 3)
    shown = 4 * noise + 4 * QUIET * centred(F.one_hot(keys, CUES).float(), 1)[:, None, :, None]
    beside = signs[:, None, :, None, None].expand(*shown.shape[:-1], 1)
    cue = one_of(keys.gather(1, picked[:, None]))
    return widened(torch.cat([shown, beside], dim=-1)).flatten(2, 3), cue.expand(-1, segments, -1)


def in_seconds(ahead: int) -> Lay:
    """Lays a sign in every other second; the cue marks the second that lies `ahead` of the picked one."""

    def lay(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
        stream = torch.zeros(len(signs), segments, BANDS * TIMES, CHANNELS)
        stream[:, SHOWING, :, 0] = signs[:, :, None]
        spoken = F.one_hot(torch.tensor(SHOWING)[picked] - ahead, segments)
        return stream, one_of(torch.zeros_like(spoken)) * spoken[..., None]

    return lay


TASKS: Mapping[str, PickingTask] = {
    "channel": PickingTask(8, in_channels, gain=1 / QUIET),
    "token": PickingTask(BANDS * TIMES, in_tokens, groups=BANDS),
    "band": PickingTask(BANDS, in_bands),
    "second": PickingTask(len(SHOWING), in_seconds(ahead=1), segments=10),
    "own second": PickingTask(len(SHOWING), in_seconds(ahead=0), segments=10),
}
"""Tasks by what a cue picks. `"second"` is marked by the cue of the second before it, `"own second"` by its own."""
