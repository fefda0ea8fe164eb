"""Couplings in side mode: couplers read the frozen encoders and run beside them, so that no gradient enters these.

Source: Sung et al., *LST: Ladder Side-Tuning*, NeurIPS 2022, for the idea; see `crossmodal.injection.side`.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from crossmodal.injection import Lockstep, SideLockstep, side
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish

P = ParamSpec("P")


def side_tuning(coupling: Callable[P, Lockstep], *, at_once: int | None = 10) -> Callable[P, SideLockstep]:
    """Turns a coupling such as `dg_sct` into one in side mode, with the same keywords.

    Args:
        coupling: Couples two encoders.
        at_once: Frames that run through an encoder at a time; a clip's ten, so that it gives the same numbers, bit for
            bit, alone and in a batch.
    """

    @wraps(coupling)
    def couple(*args: P.args, **kwargs: P.kwargs) -> SideLockstep:
        return side(coupling(*args, **kwargs), at_once=at_once)  # built coupled, so that every keyword means the same

    return couple


dg_sct_side, lavish_side = side_tuning(dg_sct), side_tuning(lavish)
