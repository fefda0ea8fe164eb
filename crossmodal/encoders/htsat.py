"""HTS-AT as sections, at any size.

Source: Chen et al., *HTS-AT: A Hierarchical Token-Semantic Audio Transformer*, ICASSP 2022.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from ..attention import WindowAttention
from ..audio import SpecAugment
from ..injection import Encoder
from ..site import folded_axes
from .feed_forward import FeedForward
from .halves import PreNorm
from .hierarchy import Stage, build_hierarchy, init_linear, plan_stages
from .patches import PatchMerging
from .spectrogram import SpectrogramStem


def htsat(
    spectrogram: int = 256,
    *,
    mels: int = 64,
    patch: int = 4,
    width: int = 96,
    depths: Sequence[int] = (2, 2, 6, 2),
    heads: Sequence[int] = (4, 8, 16, 32),
    window: int = 8,
    mlp_ratio: float = 4.0,
    drop_path: float = 0.1,
    attention: Callable[..., nn.Module] = WindowAttention,
    augment: Callable[[], nn.Module] = SpecAugment,
) -> Encoder:
    """Builds an HTS-AT; the defaults are HTS-AT tiny, as trained on AudioSet.

    Stem and sections have 27,532,952 parameters, the final norm 1,536. The spectrogram is split in time into
    `spectrogram / mels` chunks that are stacked along frequency: a row of the token grid is not a band, and the sites
    contain the band and the time of every token.

    Args:
        spectrogram: Side of the folded spectrogram; it has room for `spectrogram² / mels` time frames, and the log-mel
            is cropped or stretched to this length.
        mels: Mel bins; they must divide `spectrogram`, and `patch · 2^(stages - 1)` must divide them.
        patch: Side of a patch.
        width: Channels of the first stage; they double from stage to stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        window: Side of the attention windows, clipped to each stage's grid, shifted by `window // 2` in odd blocks.
        mlp_ratio: Hidden units of the MLP halves per channel.
        drop_path: Drop-path rate of the last block; rates grow linearly from 0 at the first.
        attention: Factory `(width, heads, grid, *, window, shift)` of a module on a stream.
        augment: Builds the augmentation of a log-mel in training; `nn.Identity` for none.

    Returns:
        Log-mel `(frame, time, mel)` in dB → stream.

    Raises:
        ValueError: If the sizes do not fit each other.
    """
    stem = SpectrogramStem(spectrogram, mels, width, patch=patch, augment=augment)
    smallest = patch * 2 ** (len(depths) - 1)
    if mels % smallest:
        raise ValueError(
            f"htsat: mels={mels} must be divisible by patch·2^(stages-1) = {smallest}, so that no token mixes two "
            f"chunks of time: take other mels, another patch={patch}, or fewer depths={tuple(depths)}."
        )

    def attention_half(stage: Stage, block: int) -> nn.Module:
        shift = block % 2 * (window // 2)  # every other block looks across the borders of the windows
        body = attention(stage.width, stage.heads, stage.grid, window=window, shift=shift)
        return PreNorm(body, stage.width, drop_path=stage.drop_paths[block])

    def mlp_half(stage: Stage, block: int) -> nn.Module:
        return PreNorm(FeedForward(stage.width, mlp_ratio), stage.width, drop_path=stage.drop_paths[block])

    encoder = build_hierarchy(
        plan_stages("htsat", stem.grid, width, depths, heads, drop_path),
        stem=stem,
        attention=attention_half,
        mlp=mlp_half,
        merge=lambda stage: PatchMerging(stage.width, stage.grid, norm_first=True),
        axes=partial(folded_axes, chunks=spectrogram // mels),
    )
    return encoder.apply(init_linear)


def htsat_tiny_audioset(
    *,
    drop_path: float = 0.1,
    attention: Callable[..., nn.Module] = WindowAttention,
    augment: Callable[[], nn.Module] = SpecAugment,
) -> Encoder:
    """Builds HTS-AT as its authors trained it on AudioSet: 64 mel bins, 100 frames per second (without its classifier).

    Args:
        drop_path: As in `htsat`.
        attention: As in `htsat`.
        augment: As in `htsat`.
    """
    return htsat(
        256,
        mels=64,
        patch=4,
        width=96,
        depths=(2, 2, 6, 2),
        heads=(4, 8, 16, 32),
        window=8,
        mlp_ratio=4.0,
        drop_path=drop_path,
        attention=attention,
        augment=augment,
    )
