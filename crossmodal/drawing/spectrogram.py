"""Maps over the spectrogram, unfolded: every value at its own band and time, however the encoder stacks them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..site import Site
from .canvas import Limits, colour_bar, ends, panels
from .frames import fitting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_spectrogram(
    log_mel: Tensor,
    values: Tensor | None = None,
    site: Site | None = None,
    *,
    limits: Limits = (0.0, 1.0),
    titles: Sequence[str] = (),
    label: str = "map",
    opacity: float = 0.55,
) -> "Figure":
    """A row of spectrograms, low bands at the foot, each under its map; without a map the spectrograms alone.

    - `log_mel`: `(frame, time, mel)` in dB: the stretch of time that the tokens cover.
    - `values`: a map `(frame, token, 1)`. `site`: where it was made; its axes are frequency and time. A value covers
      its share of the bands and of the time, as its coordinates say.
    - `limits`, `titles`, `label`, `opacity`: as `over_frames` has them.

    Raises `ValueError` where map, spectrogram and site do not fit each other.
    """
    if log_mel.ndim != 3 or not log_mel.numel():
        raise ValueError(f"over_spectrogram: log_mel has shape {tuple(log_mel.shape)}, expected (frame, time, mel).")
    heard = log_mel.detach().to("cpu", torch.float32).transpose(1, 2)
    row = panels(len(heard), 0.75, inches=1.1, bar=values is not None, titles=bool(titles))
    quiet, loud = ends(heard, None)
    for panel, picture in enumerate(heard):
        row.show(panel, picture, up=True, vmin=quiet, vmax=loud, cmap="gray")
    if values is not None:
        grid = fitting(values, site, len(heard), ("frequency", "time"), "over_spectrogram")
        image = row.cover(grid, limits, opacity, up=True)
        colour_bar(row.figure, image, label)
    return row.close(titles, len(heard))
