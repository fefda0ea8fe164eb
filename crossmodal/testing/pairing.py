"""Checks pairings against the laws, over the sites of drawn hierarchies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..injection.pairing_transforms import Pairing
from ..site import Site, grid_axes
from . import laws
from .laws.pairings import PairingTrial
from .report import Report
from .suite import Suite, needed
from .widths import ANY, Widths


def check_pairing(pairing: Pairing, *, widths: Sequence[int] | None = None, multiple_of: int = 1) -> Report:
    """Checks all laws of pairings over the sites of two drawn hierarchies.

    Their depths are equal, or one a multiple of the other, in every stage; blocks are whole or come in halves. Sites
    that the pairing refuses with `ValueError` are drawn again.

    Args:
        pairing: Called with the sites of two streams; returns steps.
        widths: The first and the last of them are those of the first stages; each stage is twice as wide as the last.
        multiple_of: Those widths are multiples of this number.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return PAIRING.bounded(widths=widths, multiple_of=multiple_of).check(pairing)


@dataclass(frozen=True)
class PairingSizes:
    """Holds the depths of two hierarchies, stage by stage, whether their blocks come in halves, and first widths."""

    depths: tuple[tuple[int, ...], tuple[int, ...]]
    halves: bool
    widths: tuple[int, int] = (4, 6)
    seed: int = 0

    def __str__(self) -> str:
        return f"depths={self.depths[0]} and {self.depths[1]} halves={self.halves} widths={self.widths}"


def hierarchy_sites(depths: Sequence[int], *, halves: bool, width: int = 4, tokens: int = 64) -> tuple[Site, ...]:
    """Builds the sites of an encoder; between stages tokens halve and the width doubles.

    Args:
        depths: Number of blocks of each stage.
        halves: Whether attention and MLP of a block are sections of their own.
        width: Width of the first stage.
        tokens: Tokens of the first stage.
    """
    sites = [Site("stem", width, grid_axes(tokens, 1), part="stem")]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            for part in ("attention", "mlp") if halves else ("block",):
                name = f"stages.{stage}.{block}.{part}"
                sites.append(Site(name, width, grid_axes(tokens, 1), stage, block, part))
        if stage < len(depths) - 1:
            width, tokens = 2 * width, tokens // 2
            sites.append(Site(f"stages.{stage}.merge", width, grid_axes(tokens, 1), stage, None, "merge"))
    return tuple(sites)


def smallest_pairing(_: Pairing, *, widths: Widths = ANY) -> PairingSizes:
    """Returns two hierarchies of one block, of different widths where bounds allow."""
    if widths == ANY:
        return PairingSizes(((1,), (1,)), halves=True)
    return PairingSizes(((1,), (1,)), halves=True, widths=(widths.tried[0], widths.tried[-1]))


def pairing_sizes(first: PairingSizes, *, widths: Widths = ANY) -> Any:
    """Builds a strategy of `PairingSizes`, of the widths of the first."""
    st = needed("hypothesis.strategies")

    def sizes(stages: Sequence[tuple[int, int]], swap: bool, halves: bool) -> PairingSizes:
        shallow, deep = tuple(depth for depth, _ in stages), tuple(depth * times for depth, times in stages)
        return PairingSizes((deep, shallow) if swap else (shallow, deep), halves, first.widths)

    stages = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 3)), min_size=1, max_size=3)
    return st.builds(sizes, stages, st.booleans(), st.booleans())


def pairing_trial(pairing: Pairing, sizes: PairingSizes) -> PairingTrial:
    """Builds the sites of two streams, which the pairing may refuse with `ValueError`."""
    one, other = sizes.depths
    sites = {
        "one": hierarchy_sites(one, halves=sizes.halves, width=sizes.widths[0]),
        "other": hierarchy_sites(other, halves=sizes.halves, width=sizes.widths[1], tokens=16),
    }
    pairing(sites)
    return PairingTrial(pairing, sites)


PAIRING: Suite[Pairing, PairingSizes, PairingTrial] = Suite(
    kind="pairing",
    smallest=smallest_pairing,
    sizes=pairing_sizes,
    trial=pairing_trial,
    laws=(laws.steps_run_every_section_once, laws.coupled_where_sites_agree, laws.pairing_twice),
)
"""Laws of every pairing."""
