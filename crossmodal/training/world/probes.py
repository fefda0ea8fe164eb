"""Probes on the frozen tiny encoders: unimodal labels, and the event from pooled features and from attention."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data.world import World
from crossmodal.encoders.by_name.tiny import tiny_log_mel
from crossmodal.training.world.unimodal_labels import ProbedEncoder, make_batch


class SecondFeatures(NamedTuple):
    """Frozen features of single seconds and their event."""

    tokens: Float[Tensor, "frame token visual_channel"]
    sound: Float[Tensor, "frame audio_channel"]
    event: Int64[Tensor, " frame"]


class PooledProbe(nn.Module):
    """Late fusion of one second: a readout on the pooled features of both modalities."""

    def __init__(self, readout: nn.Module):
        """Takes the readout of the concatenated features."""
        super().__init__()
        self.readout = readout

    def forward(self, known: SecondFeatures) -> Tensor:
        """Computes logits `(frame, class)`."""
        return self.readout(torch.cat([known.tokens.mean(dim=1), known.sound], dim=-1))


class AttendingProbe(nn.Module):
    """Cross-attention of four heads: the sound is the query, the visual tokens are keys and values."""

    def __init__(self, visual: int, audio: int, classes: int, *, width: int = 128):
        """Builds the probe from both widths and the number of classes; `width` is that of the attention."""
        super().__init__()
        self.query = nn.Linear(audio, width)
        self.tokens = nn.MultiheadAttention(width, 4, kdim=visual, vdim=visual, batch_first=True)
        self.readout = mlp(width + audio, classes)

    def forward(self, known: SecondFeatures) -> Tensor:
        """Computes logits `(frame, class)`."""
        query = self.query(known.sound)[:, None]
        found, _ = self.tokens(query, known.tokens, known.tokens, need_weights=False)
        return self.readout(torch.cat([found[:, 0], known.sound], dim=-1))


def mlp(width: int, classes: int, *, hidden: int = 256) -> nn.Module:
    """Builds a perceptron of two hidden layers."""
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, classes)
    )


@torch.no_grad()
def unimodal(visual: ProbedEncoder, audio: ProbedEncoder, world: World) -> dict[str, float]:
    """Returns the accuracy of the pooled linear probes, label by label, over all clips of `world`."""
    sound, right = tiny_log_mel(), []
    for start in range(0, len(world), 20):
        batch = make_batch(world, range(start, min(start + 20, len(world))))
        logits = torch.cat([visual(batch.frames)[0], audio(sound(batch.wave))[0]], dim=-1)
        right.append((logits > 0) == torch.cat([batch.seen, batch.heard], dim=-1).bool())
    accuracy = torch.cat(right).double().mean(dim=0).tolist()
    return dict(zip(labels(world), accuracy, strict=True))


def labels(world: World) -> list[str]:
    """Returns the names of the unimodal labels in the order of the probes: textures, colours, timbres."""
    textures = world.texture_names
    return [f"sees {name}" for name in (*textures, *world.classes)] + [f"hears {name}" for name in textures]


@torch.no_grad()
def features_of_seconds(visual: ProbedEncoder, audio: ProbedEncoder, world: World) -> SecondFeatures:
    """Computes the frozen features of every second of `world`."""
    sound, tokens, pooled, events = tiny_log_mel(), [], [], []
    for index in range(len(world)):
        clip = world[index]
        tokens.append(visual.encoder(clip.frames))
        pooled.append(audio.encoder(sound(clip.wave)).mean(dim=1))
        events.append(clip.labels)
    return SecondFeatures(torch.cat(tokens), torch.cat(pooled), torch.cat(events))


def fit_probe(
    readout: nn.Module, train: SecondFeatures, test: SecondFeatures, *, epochs: int = 20, seed: int = 0
) -> float:
    """Trains `readout` on frozen features and returns its segment accuracy on `test`."""
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(readout.parameters(), lr=2e-3, weight_decay=0.01)
    size = min(250, len(train.event))
    batches = len(train.event) // size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * batches)
    for _ in range(epochs):
        for rows in torch.randperm(len(train.event), generator=order)[: batches * size].split(size):
            batch = SecondFeatures(*(part[rows] for part in train))
            optimizer.zero_grad()
            F.cross_entropy(readout(batch), batch.event).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return (readout(test).argmax(dim=-1) == test.event).double().mean().item()


def binding(visual: ProbedEncoder, audio: ProbedEncoder, train: World, test: World) -> dict[str, float]:
    """Returns the segment accuracy of the event on `test`: majority class, pooled probes, attending probe."""
    classes = len(train.classes) + 1
    learned, asked = features_of_seconds(visual, audio, train), features_of_seconds(visual, audio, test)
    widths = learned.tokens.shape[-1], learned.sound.shape[-1]
    return {
        "majority class": torch.bincount(asked.event).max().item() / len(asked.event),
        "pooled, linear": fit_probe(PooledProbe(nn.Linear(sum(widths), classes)), learned, asked),
        "pooled, MLP": fit_probe(PooledProbe(mlp(sum(widths), classes)), learned, asked),
        "looking with the sound": fit_probe(AttendingProbe(*widths, classes), learned, asked),
    }
