"""Streams without encoders whose label stands in one slot that only a cue can name: channel, token, band or second.

Every slot holds a sign, as many plus as minus, and the label of a clip is the sign in the slot that is picked. So the
stream says nothing of the label, the cue says nothing of it, and the mean over a stream is the same for either label:
only who lets the cue weigh the right slots more than the others can know.
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
"""The seconds that show a sign; in the others the stream is empty, and the cue may speak."""
QUIET = 1 / 16
"""How loud a sign or a key is beside noise that cancels exactly, over a frame or over a band, and no sooner."""

Lay = Callable[[Tensor, Tensor, int, Generator], tuple[Tensor, Tensor]]
"""`(signs (clip, slot), picked (clip,), segments, generator)` → stream and cue, `(clip, segment, …)`."""


class Clips(NamedTuple):
    """Clips of a task.

    - `stream`: `(frame, token, channel)`, 4 bands of 4 tokens, 32 channels; `cue`: `(frame, cue_channel)`, 16 wide.
    - `label`: true where the sign in the picked slot is plus, `(clip,)`.
    """

    stream: Tensor
    cue: Tensor
    label: Tensor


@dataclass(frozen=True)
class PickingTask:
    """Clips in which the cue picks one of `slots`.

    - `lay`: writes signs into streams, and the picked slot into cues.
    - `groups`: signs balance within each of so many runs of slots.
    - `segments`: seconds that a clip must have.
    - `gain`: by how much the mean over a clip hides the sign of one slot.
    """

    slots: int
    lay: Lay
    groups: int = 1
    segments: int = 1
    gain: float = 1.0

    def draw(self, clips: int, generator: Generator, *, segments: int = 1, shuffled: bool = False) -> Clips:
        """So many clips of `segments` frames each; `shuffled` gives every clip the cue of another."""
        if segments < self.segments:
            raise ValueError(f"PickingTask: segments={segments} must be at least {self.segments}, as this task needs.")
        order = torch.rand(clips, self.groups, self.slots // self.groups, generator=generator).argsort(2)
        signs = torch.where(order < order.shape[2] // 2, 1.0, -1.0).flatten(1)
        picked = torch.randint(self.slots, (clips,), generator=generator)
        stream, cue = self.lay(signs, picked, segments, generator)
        label = signs.gather(1, picked[:, None])[:, 0] > 0
        return Clips(stream.flatten(0, 1), (cue.roll(1, 0) if shuffled else cue).flatten(0, 1), label)


def one_of(indices: Tensor, count: int = CUES) -> Tensor:
    """One-hot vectors of deviation about one."""
    return F.one_hot(indices, count) * count**0.5


def widened(stream: Tensor) -> Tensor:
    """Empty channels, up to the width of all tasks."""
    return F.pad(stream, (0, CHANNELS - stream.shape[-1]))


def centred(tensor: Tensor, dim: int) -> Tensor:
    """Less its mean."""
    return tensor - tensor.mean(dim, keepdim=True)


def in_channels(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A sign a channel, the same in all tokens, under noise that cancels over the tokens of a frame and no sooner."""
    noise = torch.randn(len(signs), segments, BANDS * TIMES, CHANNELS, generator=generator)
    cue = one_of(picked)[:, None].expand(-1, segments, -1)
    return widened(QUIET * signs)[:, None, None] + centred(noise, 2), cue


def in_tokens(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A sign a token, beside the token's key; both cancel over every band. The cue is the key of the picked token."""
    keys = torch.rand(len(signs), BANDS * TIMES, generator=generator).argsort(1)
    shown = centred(torch.unflatten(one_of(keys), 1, (BANDS, TIMES)), 2).flatten(1, 2)
    stream = widened(torch.cat([shown, signs[..., None]], dim=-1))
    cue = one_of(keys.gather(1, picked[:, None]))
    return stream[:, None].expand(-1, segments, -1, -1), cue.expand(-1, segments, -1)


def in_bands(signs: Tensor, picked: Tensor, segments: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """A sign a band, beside the band's key, under noise that cancels over the band: no token alone knows its band."""
    keys = torch.rand(len(signs), CUES, generator=generator).argsort(1)[:, :BANDS]
    noise = centred(torch.randn(len(signs), segments, BANDS, TIMES, CUES, generator=generator), 3)
    shown = 4 * noise + 4 * QUIET * centred(F.one_hot(keys, CUES).float(), 1)[:, None, :, None]
    beside = signs[:, None, :, None, None].expand(*shown.shape[:-1], 1)
    cue = one_of(keys.gather(1, picked[:, None]))
    return widened(torch.cat([shown, beside], dim=-1)).flatten(2, 3), cue.expand(-1, segments, -1)


def in_seconds(ahead: int) -> Lay:
    """A sign in every other second; the cue speaks `ahead` of the picked one, and says no more than that it speaks."""

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
"""What a cue can pick. `"second"` is named by the cue of the second before it, `"own second"` by its own cue."""
