"""A model of another library, cut at its blocks into an encoder whose head returns a stream."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from crossmodal.encoders.by_name.libraries import Headless
from crossmodal.injection import Encoder, as_tokens, sections_of

POINTS = (
    "encoder.layers.*.blocks.*",
    "encoder.stages.*.layers.*",
    "audio_encoder.layers.*.blocks.*",
    "layers.*.blocks.*",
    "stages.*.blocks.*",
    "encoder.layers.*",
    "encoder.layer.*",
    "blocks.*",
    "blocks.*.*",
    "layers.*",
    "layer?.*",
    "features.*.*",
    "features.*",
)
"""Where the blocks of a model are looked for: the first of these that matches numbered modules, no mere sequences."""


def cut(given: Headless, points: str | Sequence[str] | None, name: str) -> tuple[Encoder, int]:
    """The encoder of a model, whose head returns a stream, and the width of that."""
    example = torch.rand(2, 3, given.size, given.size)
    encoder = sections_of(given.model.eval(), points or points_of(given.model, name), example)
    with torch.no_grad():
        features = encoder(example)
    last = encoder.sites[-1]
    layout = "BNC"
    if features.ndim == 4:
        layout = "BCHW" if tuple(features.shape[2:]) == last.grid else "BHWC"
    stream, _ = as_tokens(features, layout)
    if stream.shape[1] != last.tokens:
        raise ValueError(f"{name}: its head makes {stream.shape[1]} tokens of {last.tokens}; give other points.")
    if layout != "BNC":
        sections = {section: encoder.section(section) for section in encoder.names}
        encoder = Encoder(encoder.stem, sections, AsTokens(encoder.head, layout), encoder.sites)
    return encoder, stream.shape[2]


class AsTokens(nn.Module):
    """The head of a model whose features are a map: as a stream."""

    def __init__(self, head: nn.Module, layout: str):
        super().__init__()
        self.head, self.layout = head, layout

    def forward(self, stream: Tensor) -> Tensor:
        """What the head makes of the stream, `(frame, token, channel)`."""
        return as_tokens(self.head(stream), self.layout)[0]

    def extra_repr(self) -> str:
        return f"layout={self.layout!r}"


def points_of(model: nn.Module, name: str) -> list[str]:
    """The blocks of a model. `ValueError` where none are found."""
    modules = {path: module for path, module in model.named_modules() if path[-1:].isdigit() and any(module.children())}
    blocks = [path for path, module in modules.items() if not isinstance(module, (nn.Sequential, nn.ModuleList))]
    for pattern in POINTS:
        found = [path for path in blocks if path.count(".") == pattern.count(".") and fnmatchcase(path, pattern)]
        if found:
            return found
    raise ValueError(f"{name}: its blocks are not where other models have them; say by points which modules to cut at.")
