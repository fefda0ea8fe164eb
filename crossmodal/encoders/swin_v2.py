"""Swin Transformer V2 as sections, at any size. Source: Liu et al., *Swin Transformer V2*, CVPR 2022."""

from collections.abc import Callable, Sequence

from torch import nn

from ..attention import CosineWindowAttention
from ..injection import Encoder
from ..site import grid_axes
from .feed_forward import FeedForward
from .halves import PostNorm
from .hierarchy import Stage, hierarchy, init_linear, plan
from .patches import Merge, PatchEmbedding


def swin_v2(
    image: int = 192,
    *,
    patch: int = 4,
    width: int = 192,
    depths: Sequence[int] = (2, 2, 18, 2),
    heads: Sequence[int] = (6, 12, 24, 48),
    window: int = 12,
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    attention: Callable[..., nn.Module] = CosineWindowAttention,
) -> Encoder:
    """Frames `(frame, 3, image, image)` → stream; the defaults are Swin-V2-L at 192², of 195,202,932 parameters.

    - `image`: height and width of a frame in pixels.
    - `patch`: side of a patch; `patch · 2^(stages - 1)` must divide `image`.
    - `width`: channels of the first stage; they double from stage to stage.
    - `depths`, `heads`: blocks and attention heads of each stage.
    - `window`: side of the attention windows, clipped to each stage's grid, shifted by `window // 2` in odd blocks.
    - `mlp_ratio`: hidden units of the MLP halves per channel.
    - `drop_path`: stochastic depth of the last block; it grows linearly from 0 at the first.
    - `attention`: `(width, heads, grid, *, window, shift)` → module on a stream; a factory such as
      `partial(CosineWindowAttention, backend="xformers")`.

    Half-blocks normalise after their body, with norms that start at zero: the untrained sections but for the merges are
    identities.
    """
    stem = PatchEmbedding(3, width, (image, image), patch=patch)

    def attention_half(stage: Stage, block: int) -> nn.Module:
        shift = block % 2 * (window // 2)
        body = attention(stage.width, stage.heads, stage.grid, window=window, shift=shift)
        return PostNorm(body, stage.width, drop_path=stage.drop_paths[block])

    def mlp_half(stage: Stage, block: int) -> nn.Module:
        return PostNorm(FeedForward(stage.width, mlp_ratio), stage.width, drop_path=stage.drop_paths[block])

    encoder = hierarchy(
        plan("swin_v2", stem.grid, width, depths, heads, drop_path),
        stem=stem,
        attention=attention_half,
        mlp=mlp_half,
        merge=lambda stage: Merge(stage.width, stage.grid, norm_first=False),
        axes=grid_axes,
    )
    return encoder.apply(init_linear)


def swin_v2_large(*, drop_path: float = 0.1, attention: Callable[..., nn.Module] = CosineWindowAttention) -> Encoder:
    """Swin-V2-L for frames of 192², window 12, as timm's `swinv2_large_window12_192` (without its classifier).

    `drop_path` and `attention` are those of `swin_v2`.
    """
    return swin_v2(
        192,
        patch=4,
        width=192,
        depths=(2, 2, 18, 2),
        heads=(6, 12, 24, 48),
        window=12,
        mlp_ratio=4.0,
        drop_path=drop_path,
        attention=attention,
    )
