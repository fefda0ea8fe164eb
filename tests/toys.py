"""Small encoders and adapters for tests: sections that can be told apart, at any size hypothesis draws."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from crossmodal.adapters import Adapted
from crossmodal.injection import Encoder
from crossmodal.site import Site, grid_axes


class Mix(nn.Module):
    """A residual section that mixes tokens and channels, and counts its calls."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self._calls = 0

    def forward(self, stream: Tensor) -> Tensor:
        self._calls += 1
        return stream + (self.linear(stream) + stream.mean(1, keepdim=True)).tanh()


class Merge(nn.Module):
    """Pairs of tokens become one of twice the width."""

    def __init__(self, width: int):
        super().__init__()
        self.linear = nn.Linear(2 * width, 2 * width)

    def forward(self, stream: Tensor) -> Tensor:
        return self.linear(stream.unflatten(1, (-1, 2)).flatten(2))


def toy_encoder(depths=(1, 1), *, width=4, tokens=8, inputs=3, halves=True) -> Encoder:
    """An encoder of `(frame, token, inputs)`: `depths` blocks a stage, halved or whole, and a merge between stages."""
    sections, sites = {}, [Site("stem", width, grid_axes(tokens, 1), part="stem")]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            for part in ("attention", "mlp") if halves else ("block",):
                name = f"stages.{stage}.{block}.{part}"
                sections[name] = Mix(width)
                sites.append(Site(name, width, grid_axes(tokens, 1), stage, block, part))
        if stage < len(depths) - 1:
            sections[f"stages.{stage}.merge"] = Merge(width)
            width, tokens = 2 * width, tokens // 2
            sites.append(Site(f"stages.{stage}.merge", width, grid_axes(tokens, 1), stage, None, "merge"))
    return Encoder(nn.Linear(inputs, sites[0].width), sections, nn.LayerNorm(width), sites)


class ToyAdapter(nn.Module):
    """The smallest adapter of one's own: the guide's mean, projected, scaled by a gate."""

    laws_exempt: ClassVar = {"every map is heard": "its map is for the record"}

    def __init__(self, stream: Site, guide: Site, *, gate: float = 0.0):
        super().__init__()
        self.linear = nn.Linear(guide.width, stream.width)
        self.gate = nn.Parameter(torch.tensor([gate]))

    def forward(self, stream: Tensor, guide: Tensor) -> Adapted:
        residual = self.gate * self.linear(guide.mean(1, keepdim=True)).expand_as(stream)
        return Adapted(residual, {"spatial": stream.mean(-1, keepdim=True).sigmoid()})
