"""Pre-training of the tiny encoders: unimodal labels of the built-in world, and no label of which object has what."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.data.world import Truth, World
from crossmodal.encoders.halves import PostNorm, PreNorm
from crossmodal.injection import Encoder

IGNORED = -100


class UnimodalBatch(NamedTuple):
    """A batch of single seconds and their unimodal labels.

    Attributes:
        frames: Frames as `World` gives them.
        wave: Sound as `World` gives it.
        seen: Which textures, then which colours are visible.
        heard: Which timbres are audible.
        places: By side of a token grid, the texture (first) and the colour (second) that fills most of a token;
            `IGNORED` where no object fills 0.4 of it.
    """

    frames: Float[Tensor, "frame 3 height width"]
    wave: Float[Tensor, "frame sample"]
    seen: Float[Tensor, "frame kind"]
    heard: Float[Tensor, "frame texture"]
    places: dict[int, Tensor]


def make_batch(world: World, clips: Sequence[int], *, grids: Sequence[int] = (), every: int = 1) -> UnimodalBatch:
    """Renders every `every`-th second of the given clips, from another start in each."""
    parts: list[UnimodalBatch] = []
    for clip in clips:
        images, wave, truth = world.render(clip)
        kept = slice(clip % every, None, every)
        frames, sound = world.preprocess(torch.from_numpy(images[kept]), torch.from_numpy(wave[kept]))
        seen = np.concatenate([truth.visible, truth.coloured], axis=1)[kept]
        places = {side: torch.from_numpy(_places(truth, side)[:, kept]) for side in grids}
        parts.append(UnimodalBatch(frames, sound, _float(seen), _float(truth.audible[kept]), places))
    tensors = [torch.cat(part) for part in list(zip(*parts, strict=True))[:4]]
    places = {side: torch.cat([part.places[side] for part in parts], dim=1) for side in grids}
    return UnimodalBatch(tensors[0], tensors[1], tensors[2], tensors[3], places)


class ProbedEncoder(nn.Module):
    """An encoder, a linear probe on its pooled tokens, and linear probes on the tokens of some stages."""

    def __init__(self, encoder: Encoder, labels: int, *, kinds: Sequence[int] = ()):
        """Puts the probes on an encoder.

        Args:
            encoder: The encoder that is trained.
            labels: Labels of the pooled probe.
            kinds: Sizes of the softmaxes of a token probe, as (textures, colours); no token probe for `()`.
        """
        super().__init__()
        self.encoder, self.kinds = encoder, tuple(kinds)
        self.probe = nn.Linear(encoder.sites[-1].width, labels)
        ends = [site for site, after in zip(encoder.sites, encoder.sites[1:], strict=False) if after.part == "merge"]
        self.stages = {site.name: round(site.tokens**0.5) for site in (*ends, encoder.sites[-1])} if kinds else {}
        self.places = nn.ModuleDict(
            {
                str(side): nn.Sequential(
                    nn.LayerNorm(encoder.site(name).width), nn.Linear(encoder.site(name).width, sum(kinds))
                )
                for name, side in self.stages.items()
            }
        )

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the token grids that have a probe."""
        return tuple(self.stages.values())

    def forward(self, x: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Computes the logits of the pooled probe, and of the token probes by the side of their grid."""
        stream, places = self.encoder.stem(x), {}
        for name in self.encoder.names:
            stream = self.encoder.section(name)(stream)
            if name in self.stages:
                places[self.stages[name]] = self.places[str(self.stages[name])](stream)
        return self.probe(self.encoder.head(stream).mean(dim=1)), places

    def loss(self, x: Tensor, present: Tensor, places: Mapping[int, Tensor]) -> Tensor:
        """Computes the binary cross entropy of the pooled probe plus the cross entropies of the token probes."""
        logits, by_side = self(x)
        total = F.binary_cross_entropy_with_logits(logits, present)
        for side, tokens in by_side.items():
            for guess, truth in zip(tokens.split(self.kinds, dim=-1), places[side], strict=True):
                total = total + F.cross_entropy(guess.flatten(0, 1), truth.flatten(), ignore_index=IGNORED)
        return total


def reinitialise(encoder: Encoder) -> Encoder:
    """Initialises a tiny encoder so that it learns in minutes, and returns it.

    Swin's own initialisation (weights of 0.02, half-blocks that start as identities) is made for wide models: at width
    64 textures were still unknown after 400 steps, in which torch's defaults had learned most of them. Attention starts
    almost switched off, since a mean over all tokens helps none of them.
    """
    for name in encoder.names:
        section = encoder.section(name)
        for module in section.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        if isinstance(section, PreNorm | PostNorm):
            nn.init.constant_(cast(Tensor, section.norm.weight), 0.1 if name.endswith("attention") else 1.0)
    return encoder


def _places(truth: Truth, side: int) -> np.ndarray:
    """Returns texture and colour that fill most of each token of a `side × side` grid: `(2, segment, token)`."""
    pixels = rearrange(truth.masks, "s o (row h) (column w) -> s o (row column) (h w)", row=side, column=side)
    share = pixels.mean(axis=-1)
    owner = share.argmax(axis=1)
    filled: Bool[np.ndarray, "segment token"] = share.max(axis=1) > 0.4  # a token on a border has no one object
    texture = np.take_along_axis(truth.objects.texture, owner, axis=1)
    return np.where(filled, np.stack([texture, truth.objects.colour[owner]]), IGNORED)


def _float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).float()
