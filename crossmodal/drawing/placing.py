"""Where the values of a map belong: tokens back on the axes that they mean."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..injection import Lockstep
from ..site import Site


def placed(values: Tensor, site: Site) -> Float[Tensor, "frame first second"]:
    """A map over tokens, on the two axes of its site: rows and columns, or frequencies and times.

    - `values`: a map `(frame, token, 1)`. `site`: where it was made. A fold of the encoder is undone, a prefix is left
      out, and a place without a token is `nan`.

    Raises `ValueError` where the map does not fit the site, or the site has not two axes with a token a place.
    """
    if values.ndim != 3 or values.shape[2] != 1 or values.shape[1] != site.tokens:
        raise ValueError(
            f"placed: values has shape {tuple(values.shape)}, but a map at site {site.name!r} is (frame, "
            f"{site.tokens}, 1); over_channels() draws channel maps, over_time() temporal ones."
        )
    if len(site.axes) != 2:
        raise ValueError(
            f"placed: site {site.name!r} has the axes {', '.join(site.axes)}, but two are drawn: give it "
            "grid_axes(rows, columns), as in dataclasses.replace(site, axes=...)."
        )
    first, second = (torch.tensor(coordinates) for coordinates in site.axes.values())
    places = len(set(zip(*site.axes.values(), strict=True)))
    if places < len(first):
        raise ValueError(f"placed: the {len(first)} tokens of site {site.name!r} lie on {places} places only.")
    grid = torch.full((len(values), *site.extent.values()), torch.nan)
    grid[:, first, second] = values.detach()[:, site.prefix :, 0].to("cpu", torch.float32)
    return grid


def read_sites(lockstep: Lockstep) -> dict[str, dict[str, Site]]:
    """The sites at which every coupler reads its streams, by coupler, then by stream: those of its maps."""
    at = {name: sites[0] for name, sites in lockstep.sites.items()}
    found = {}
    for step in lockstep.steps:
        if step.coupler:
            found[step.coupler] = dict(at)
        for name, sections in step.sections.items():
            if sections:
                at[name] = next(site for site in lockstep.sites[name] if site.name == sections[-1])
    return found
