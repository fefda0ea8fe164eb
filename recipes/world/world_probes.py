"""What the frozen tiny encoders know, and what a pooled feature of theirs does not: who has what."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data.world import World
from crossmodal.encoders.by_name.tiny import tiny_log_mel
from crossmodal.recipes.world.world_lessons import Pupil, lesson


class Known(NamedTuple):
    """Frozen features of single seconds and the event in them."""

    tokens: Float[Tensor, "frame token visual_channel"]
    sound: Float[Tensor, "frame audio_channel"]
    event: Int64[Tensor, " frame"]


class Bag(nn.Module):
    """Pooled features of both senses, side by side, and a readout on them: late fusion of one second."""

    def __init__(self, readout: nn.Module):
        super().__init__()
        self.readout = readout

    def forward(self, known: Known) -> Tensor:
        """Logits `(frame, class)`."""
        return self.readout(torch.cat([known.tokens.mean(dim=1), known.sound], dim=-1))


class Look(nn.Module):
    """A readout that looks with the sound: the sound asks, the visual tokens answer (four heads of attention)."""

    def __init__(self, visual: int, audio: int, classes: int, *, width: int = 128):
        super().__init__()
        self.query = nn.Linear(audio, width)
        self.tokens = nn.MultiheadAttention(width, 4, kdim=visual, vdim=visual, batch_first=True)
        self.readout = mlp(width + audio, classes)

    def forward(self, known: Known) -> Tensor:
        """Logits `(frame, class)`."""
        query = self.query(known.sound)[:, None]
        found, _ = self.tokens(query, known.tokens, known.tokens, need_weights=False)
        return self.readout(torch.cat([found[:, 0], known.sound], dim=-1))


def mlp(width: int, classes: int, *, hidden: int = 256) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, classes)
    )


@torch.no_grad()
def unimodal(visual: Pupil, audio: Pupil, world: World) -> dict[str, float]:
    """Accuracy of the pooled linear probes, label by label, over all clips of `world`."""
    sound, right = tiny_log_mel(), []
    for start in range(0, len(world), 20):
        batch = lesson(world, range(start, min(start + 20, len(world))))
        logits = torch.cat([visual(batch.frames)[0], audio(sound(batch.wave))[0]], dim=-1)
        right.append((logits > 0) == torch.cat([batch.seen, batch.heard], dim=-1).bool())
    accuracy = torch.cat(right).double().mean(dim=0).tolist()
    return dict(zip(labels(world), accuracy, strict=True))


def labels(world: World) -> list[str]:
    """Names of the unimodal labels, in the order of the probes: seen textures, seen colours, heard timbres."""
    textures = world.texture_names
    return [f"sees {name}" for name in (*textures, *world.classes)] + [f"hears {name}" for name in textures]


@torch.no_grad()
def known(visual: Pupil, audio: Pupil, world: World) -> Known:
    """Frozen features of every second of `world`."""
    sound, tokens, pooled, events = tiny_log_mel(), [], [], []
    for clip in world:
        tokens.append(visual.encoder(clip.frames))
        pooled.append(audio.encoder(sound(clip.wave)).mean(dim=1))
        events.append(clip.labels)
    return Known(torch.cat(tokens), torch.cat(pooled), torch.cat(events))


def fitted(readout: nn.Module, train: Known, test: Known, *, epochs: int = 20, seed: int = 0) -> float:
    """Trains `readout` on frozen features and returns its segment accuracy on `test`."""
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(readout.parameters(), lr=2e-3, weight_decay=0.01)
    size = min(250, len(train.event))
    batches = len(train.event) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(train.event), generator=order)[: batches * size].split(size):
            batch = Known(*(part[rows] for part in train))
            optimizer.zero_grad()
            F.cross_entropy(readout(batch), batch.event).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return (readout(test).argmax(dim=-1) == test.event).double().mean().item()


def binding(visual: Pupil, audio: Pupil, train: World, test: World) -> dict[str, float]:
    """Segment accuracy of the event on `test`: the majority class, two probes on pooled features, and a look."""
    classes = len(train.classes) + 1
    learned, asked = known(visual, audio, train), known(visual, audio, test)
    widths = learned.tokens.shape[-1], learned.sound.shape[-1]
    return {
        "majority class": torch.bincount(asked.event).max().item() / len(asked.event),
        "pooled, linear": fitted(Bag(nn.Linear(sum(widths), classes)), learned, asked),
        "pooled, MLP": fitted(Bag(mlp(sum(widths), classes)), learned, asked),
        "looking with the sound": fitted(Look(*widths, classes), learned, asked),
    }
