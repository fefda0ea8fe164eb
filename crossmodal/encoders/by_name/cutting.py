"""Cuts a model of another library at its blocks, into an encoder whose head returns a stream."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from ...injection import Encoder, as_tokens, sections_of
from .libraries import HeadlessModel

BLOCK_PATTERNS = (
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
"""Where models keep their blocks; the first pattern that matches numbered modules, not mere sequences, is taken."""


def cut_model(headless: HeadlessModel, points: str | Sequence[str] | None, name: str) -> tuple[Encoder, int]:
    """Cuts a model into an encoder whose head returns a stream.

    Args:
        headless: The model and its input size.
        points: Patterns of the modules to cut at; `None` for its blocks.
        name: The backbone that errors name.

    Returns:
        The encoder, and the width of the stream that its head returns.

    Raises:
        ValueError: If no blocks are found, the head changes the number of tokens, or as `sections_of`.
    """
    example = torch.rand(2, 3, headless.size, headless.size)
    encoder = sections_of(headless.model.eval(), points or find_blocks(headless.model, name), example)
    with torch.no_grad():
        features = encoder(example)
    last = encoder.sites[-1]
    layout = "BNC"
    # libraries differ in where a feature map has its channels: what is not the grid is the width
    if features.ndim == 4:
        first = features.shape[1] == last.width != features.shape[3]
        layout = "BCHW" if tuple(features.shape[2:]) == last.grid or first else "BHWC"
    stream, _ = as_tokens(features, layout)
    if stream.shape[1] != last.tokens:
        raise ValueError(f"{name}: its head makes {stream.shape[1]} tokens of {last.tokens}; give other points.")
    if layout != "BNC":
        sections = {section: encoder.section(section) for section in encoder.names}
        encoder = Encoder(encoder.stem, sections, AsTokens(encoder.head, layout), encoder.sites)
    return encoder, stream.shape[2]


class AsTokens(nn.Module):
    """Wraps a head that returns a feature map, so that it returns a stream `(frame, token, channel)`."""

    def __init__(self, head: nn.Module, layout: str):
        """Wraps a head.

        Args:
            head: Returns feature maps.
            layout: Their layout, `"BCHW"` or `"BHWC"`.
        """
        super().__init__()
        self.head, self.layout = head, layout

    def forward(self, stream: Tensor) -> Tensor:
        """Applies the head and flattens its feature map to tokens."""
        return as_tokens(self.head(stream), self.layout)[0]

    def extra_repr(self) -> str:
        """Shows the layout."""
        return f"layout={self.layout!r}"


def find_blocks(model: nn.Module, name: str) -> list[str]:
    """Returns the names of a model's blocks.

    Raises:
        ValueError: If no pattern matches.
    """
    # a slice, for the model itself has an empty path
    modules = {path: module for path, module in model.named_modules() if path[-1:].isdigit() and any(module.children())}
    numbered = [path for path, module in modules.items() if not isinstance(module, (nn.Sequential, nn.ModuleList))]
    for pattern in BLOCK_PATTERNS:
        # fnmatch's `*` also matches dots: compare depths as well
        blocks = [path for path in numbered if path.count(".") == pattern.count(".") and fnmatchcase(path, pattern)]
        if blocks:
            return blocks
    raise ValueError(f"{name}: its blocks are not where other models have them; say by points which modules to cut at.")
