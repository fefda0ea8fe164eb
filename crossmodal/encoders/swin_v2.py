"""Swin Transformer V2 as sections, at any size. Source: Liu et al., *Swin Transformer V2*, CVPR 2022."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from ..attention import CosineWindowAttention
from ..injection import Encoder
from ..site import grid_axes
from .feed_forward import FeedForward
from .halves import PostNorm
from .hierarchy import Stage, build_hierarchy, init_linear, plan_stages
from .patches import PatchEmbedding, PatchMerging


def swin_v2(
    image: int = 192,
    *,
    patch: int = 4,
    width: int = 192,
    depths: Sequence[int] = (2, 2, 18, 2),
    heads: Sequence[int] = (6, 12, 24, 48),
    window: int = 12,
    pretrained_windows: Sequence[int] | None = None,
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    attention: Callable[..., nn.Module] = CosineWindowAttention,
) -> Encoder:
    """Builds a Swin-V2; the defaults are Swin-V2-L at 192², of 195,202,932 parameters.

    Half-blocks normalise after their body, with norms that start at zero: all untrained sections except patch merging
    are identities.

    Args:
        image: Height and width of a frame in pixels.
        patch: Side of a patch; `patch · 2^(stages - 1)` must divide `image`.
        width: Channels of the first stage; they double from stage to stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        window: Side of the attention windows, clipped to each stage's grid, shifted by `window // 2` in odd blocks.
        pretrained_windows: For weights that were trained first with another window, as published ones with `to` in
            their name: the side of that window in each stage, (12, 12, 12, 6) for `window12to16` and `window12to24`.
        mlp_ratio: Hidden units of the MLP halves per channel.
        drop_path: Drop-path rate of the last block; rates grow linearly from 0 at the first.
        attention: Factory `(width, heads, grid, *, window, shift)` of a module on a stream, such as
            `partial(CosineWindowAttention, backend="xformers")`; with `pretrained_windows` it takes
            `pretrained_window` too.

    Returns:
        Frames `(frame, 3, image, image)` → stream.

    Raises:
        ValueError: If the sizes do not fit each other.
    """
    stem = PatchEmbedding(3, width, (image, image), patch=patch)
    if pretrained_windows is not None and len(pretrained_windows) != len(depths):
        raise ValueError(
            f"swin_v2: pretrained_windows={tuple(pretrained_windows)} must give one window for each of the "
            f"{len(depths)} stages of depths={tuple(depths)}."
        )
    first = [{"pretrained_window": side} for side in pretrained_windows or ()] or [{}] * len(depths)

    def attention_half(stage: Stage, block: int) -> nn.Module:
        shift = block % 2 * (window // 2)  # every other block looks across the borders of the windows
        build = partial(attention, **first[stage.index])
        body = build(stage.width, stage.heads, stage.grid, window=window, shift=shift)
        return PostNorm(body, stage.width, drop_path=stage.drop_paths[block])

    def mlp_half(stage: Stage, block: int) -> nn.Module:
        return PostNorm(FeedForward(stage.width, mlp_ratio), stage.width, drop_path=stage.drop_paths[block])

    encoder = build_hierarchy(
        plan_stages("swin_v2", stem.grid, width, depths, heads, drop_path),
        stem=stem,
        attention=attention_half,
        mlp=mlp_half,
        merge=lambda stage: PatchMerging(stage.width, stage.grid, norm_first=False),
        axes=grid_axes,
    )
    return encoder.apply(init_linear)


def swin_v2_large(*, drop_path: float = 0.1, attention: Callable[..., nn.Module] = CosineWindowAttention) -> Encoder:
    """Builds Swin-V2-L for frames of 192², window 12, as timm's `swinv2_large_window12_192` (without its classifier).

    Args:
        drop_path: As in `swin_v2`.
        attention: As in `swin_v2`.
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
