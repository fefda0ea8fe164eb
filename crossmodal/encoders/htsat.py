"""HTS-AT as sections, at any size. Source: Chen et al., *HTS-AT: A Hierarchical Token-Semantic Audio Transformer*,
ICASSP 2022."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from ..attention import WindowAttention
from ..audio import SpecAugment
from ..injection import Encoder
from ..site import folded_axes
from .feed_forward import FeedForward
from .halves import PreNorm
from .hierarchy import Stage, hierarchy, init_linear, plan
from .patches import Merge
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
    """Log-mel `(frame, time, mel)` in dB → stream; the defaults are HTS-AT tiny, as trained on AudioSet.

    Stem and sections have 27,532,952 parameters, the final norm 1,536. The spectrogram is cut in time into
    `spectrogram / mels` chunks that are stacked along frequency: a row of the token grid is not a band, and the sites
    say which band and time a token has.

    - `spectrogram`: side of the folded spectrogram; it holds `spectrogram² / mels` time frames, and the log-mel is
      brought to this length.
    - `mels`: mel bins; they must divide `spectrogram`, and `patch · 2^(stages - 1)` must divide them.
    - `patch`: side of a patch.
    - `width`: channels of the first stage; they double from stage to stage.
    - `depths`, `heads`: blocks and attention heads of each stage.
    - `window`: side of the attention windows, clipped to each stage's grid, shifted by `window // 2` in odd blocks.
    - `mlp_ratio`: hidden units of the MLP halves per channel.
    - `drop_path`: stochastic depth of the last block; it grows linearly from 0 at the first.
    - `attention`: `(width, heads, grid, *, window, shift)` → module on a stream.
    - `augment`: makes what is done to a training log-mel; `nn.Identity` for nothing.
    """
    stem = SpectrogramStem(spectrogram, mels, width, patch=patch, augment=augment)
    smallest = patch * 2 ** (len(depths) - 1)
    if mels % smallest:
        raise ValueError(
            f"htsat: mels={mels} must be divisible by patch·2^(stages-1) = {smallest}, so that no token mixes two "
            f"chunks of time: take other mels, another patch={patch}, or fewer depths={tuple(depths)}."
        )

    def attention_half(stage: Stage, block: int) -> nn.Module:
        shift = block % 2 * (window // 2)
        body = attention(stage.width, stage.heads, stage.grid, window=window, shift=shift)
        return PreNorm(body, stage.width, drop_path=stage.drop_paths[block])

    def mlp_half(stage: Stage, block: int) -> nn.Module:
        return PreNorm(FeedForward(stage.width, mlp_ratio), stage.width, drop_path=stage.drop_paths[block])

    encoder = hierarchy(
        plan("htsat", stem.grid, width, depths, heads, drop_path),
        stem=stem,
        attention=attention_half,
        mlp=mlp_half,
        merge=lambda stage: Merge(stage.width, stage.grid, norm_first=True),
        axes=partial(folded_axes, chunks=spectrogram // mels),
    )
    return encoder.apply(init_linear)


def htsat_tiny_audioset(
    *,
    drop_path: float = 0.1,
    attention: Callable[..., nn.Module] = WindowAttention,
    augment: Callable[[], nn.Module] = SpecAugment,
) -> Encoder:
    """HTS-AT as its authors trained it on AudioSet: log-mel of 64 bins at 100 frames a second (without its classifier).

    `drop_path`, `attention` and `augment` are those of `htsat`.
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
