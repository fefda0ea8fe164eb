"""Window attention of Swin v1 and v2: a token attends to the tokens of its own window of the grid."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from ..cached_from_frozen import CachedFromFrozen
from ..plain import all_plain
from ..shapes import check_width, shaped
from .attend import attend
from .position import ContinuousPosition, PositionTable
from .scaled_normalize import scaled_normalize
from .tiling import Windows


class WindowAttention(nn.Module):
    r"""Applies scaled dot-product attention inside windows, with a learned table of relative positions (Swin v1).

    $$\operatorname{softmax}(q k^\top / \sqrt{d} + B)\,v$$

    Shapes: stream `(frame, token, channel)` → the same. Source: Liu et al., *Swin Transformer*, ICCV 2021.
    """

    def __init__(
        self, width: int, heads: int, grid: tuple[int, int], *, window: int = 7, shift: int = 0, backend: str = "sdpa"
    ):
        """Builds the block.

        Args:
            width: Channels of the stream; `heads` must divide it.
            heads: Attention heads.
            grid: Rows and columns of the stream's tokens, row-major.
            window: Side of a window in tokens, clipped to the grid; the clipped one must tile it.
            shift: Tokens by which windows are shifted cyclically; 0 on an axis where one window covers the grid.
            backend: Of `attend`.

        Raises:
            ValueError: If `heads` does not divide `width`, `window` does not tile `grid`, or `shift` is not less than
                `window`.
        """
        super().__init__()
        _check_heads(self, width, heads)
        self.width, self.heads, self.backend = width, heads, backend
        self.windows = Windows(type(self).__name__, grid, window, shift)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.position, self.cached_bias = PositionTable(self.windows.window, heads), CachedFromFrozen()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes what each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        attended = attend(query, key, value, bias=self.bias(), backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

    def bias(self) -> Float[Tensor, "1 window_head query key"]:
        """Returns what is added to the logits of all windows; cached while the positions are frozen and plain."""
        return _bias(self.windows, self.position, self.cached_bias)

    def extra_repr(self) -> str:
        """Shows the sizes, the windows and the backend."""
        return f"width={self.width}, heads={self.heads}, {self.windows}, backend={self.backend!r}"


class CosineWindowAttention(nn.Module):
    r"""Applies cosine attention inside windows, with a continuous position bias (Swin v2).

    $$\operatorname{softmax}(\tau \cos(q, k) + B)\,v, \qquad \tau = \exp(\min(s, \log 100))$$

    with one learned $s$ per head, initialised at log 10. The key has no bias.

    Shapes: stream `(frame, token, channel)` → the same. Source: Liu et al., *Swin Transformer V2*, CVPR 2022.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        grid: tuple[int, int],
        *,
        window: int = 7,
        shift: int = 0,
        backend: str = "sdpa",
        pretrained_window: int | None = None,
    ):
        """Builds the block.

        Args:
            width: Channels of the stream; `heads` must divide it.
            heads: Attention heads.
            grid: Rows and columns of the stream's tokens, row-major.
            window: Side of a window in tokens, clipped to the grid; the clipped one must tile it.
            shift: Tokens by which windows are shifted cyclically; 0 on an axis where one window covers the grid.
            backend: Of `attend`.
            pretrained_window: Side of the window that the position bias was trained with first, where that was
                another: offsets are scaled by it.

        Raises:
            ValueError: If `heads` does not divide `width`, `window` does not tile `grid`, `shift` is not less than
                `window`, or `pretrained_window` is less than 2.
        """
        super().__init__()
        _check_heads(self, width, heads)
        self.width, self.heads, self.backend = width, heads, backend
        self.windows = Windows(type(self).__name__, grid, window, shift)
        self.query, self.value, self.out = (nn.Linear(width, width) for _ in range(3))
        self.key = nn.Linear(width, width, bias=False)
        self.log_scale = nn.Parameter(torch.full((heads, 1), math.log(10)))
        position = ContinuousPosition(self.windows.window, heads, pretrained_window=pretrained_window)
        self.position, self.cached_bias = position, CachedFromFrozen()

    @shaped
    def forward(self, stream: Float[Tensor, "frame token channel"]) -> Float[Tensor, "frame token channel"]:
        """Computes what each token gathers from its window; the residual is the caller's."""
        check_width(self, "stream", stream, self.width)
        cells = self.windows.split(stream)
        query, key, value = (_to_heads(part(cells), self.heads) for part in (self.query, self.key, self.value))
        # the heads of a window lie side by side, so the scales of all heads repeat window by window
        scale = self.log_scale.clamp(max=math.log(100)).exp().repeat(self.windows.windows_as_heads, 1)
        query, key = scaled_normalize(query, scale), scaled_normalize(key, torch.ones_like(scale))
        attended = attend(query, key, value, bias=self.bias(), scale=1.0, backend=self.backend)
        return self.out(self.windows.join(_from_heads(attended, self.heads)))

    def bias(self) -> Float[Tensor, "1 window_head query key"]:
        """Returns what is added to the logits of all windows; cached while the positions are frozen and plain."""
        return _bias(self.windows, self.position, self.cached_bias)

    def extra_repr(self) -> str:
        """Shows the sizes, the windows and the backend."""
        return f"width={self.width}, heads={self.heads}, {self.windows}, backend={self.backend!r}"


def _bias(windows: Windows, position: nn.Module, cache: CachedFromFrozen) -> Tensor:
    # A position module that was replaced or hooked may depend on more than its weights: it is called every time. So is
    # one that is traced, where nothing is cached.
    if torch.compiler.is_compiling() or not all_plain(
        position, PositionTable, ContinuousPosition, nn.Sequential, nn.Linear, nn.ReLU
    ):
        return windows.bias(position())
    return cache.get(position, lambda: windows.bias(position()), windows, *vars(position).values())


def _to_heads(cells: Tensor, heads: int) -> Tensor:
    return rearrange(cells, "batch cell window (head width) -> batch cell (window head) width", head=heads)


def _from_heads(attended: Tensor, heads: int) -> Tensor:
    return rearrange(attended, "batch cell (window head) width -> batch cell window (head width)", head=heads)


def _check_heads(block: object, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ValueError(f"{type(block).__name__}: heads={heads} must divide width={width}.")
