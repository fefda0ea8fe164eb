"""From tokens back to the axes that they mean: rows and columns, or frequencies and times."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..injection import Lockstep
from ..site import Site


def unfold_map(values: Tensor, site: Site) -> Float[Tensor, "frame first second"]:
    """Puts a map over tokens on the two axes of its site.

    Undoes the fold of an encoder such as HTS-AT and leaves out prefix tokens; places without a token are `nan`.

    Args:
        values: A map `(frame, token, 1)`.
        site: Where it was computed; its axes are rows and columns, or frequencies and times.

    Raises:
        ValueError: If the map does not fit the site, or the site does not have two axes with one token for each place.
    """
    if values.ndim != 3 or values.shape[2] != 1 or values.shape[1] != site.tokens:
        raise ValueError(
            f"unfold_map: values has shape {tuple(values.shape)}, but a map at site {site.name!r} is (frame, "
            f"{site.tokens}, 1); over_channels() draws channel maps, over_time() temporal ones."
        )
    if len(site.axes) != 2:
        raise ValueError(
            f"unfold_map: site {site.name!r} has the axes {', '.join(site.axes)}, but two are drawn: give it "
            "grid_axes(rows, columns), as in dataclasses.replace(site, axes=...)."
        )
    first, second = (torch.tensor(coordinates) for coordinates in site.axes.values())
    places = len(set(zip(*site.axes.values(), strict=True)))
    if places < len(first):
        raise ValueError(f"unfold_map: the {len(first)} tokens of site {site.name!r} lie on {places} places only.")
    grid = torch.full((len(values), *site.extent.values()), torch.nan)  # not zero, which is a value of a map
    grid[:, first, second] = values.detach()[:, site.prefix :, 0].to("cpu", torch.float32)
    return grid


def read_sites(lockstep: Lockstep) -> dict[str, dict[str, Site]]:
    """Returns the sites at which every coupler reads its streams, by coupler, then by stream: those of its maps."""
    current = {name: sites[0] for name, sites in lockstep.sites.items()}
    by_coupler = {}
    for step in lockstep.steps:
        if step.coupler:
            by_coupler[step.coupler] = dict(current)  # before the sections of the step: a coupler reads first
        for name, sections in step.sections.items():
            if sections:
                current[name] = next(site for site in lockstep.sites[name] if site.name == sections[-1])
    return by_coupler
