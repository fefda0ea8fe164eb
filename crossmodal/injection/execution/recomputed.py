"""Cheap recomputation inside couplers, from outside: dear products are kept for the backward, the rest runs again."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..coupler import Coupler, Coupling
from ..encoder import Encoder
from ..lockstep import Lockstep
from ..step import Edge
from .products import Tape, without_cheap
from .side import SideLockstep


class RecomputedCoupler(Coupler):
    """A coupler that keeps its streams and the results of its dear products alone.

    Norms, relus, maps and sums run once more for the backward, and products that cost less than `worth` operations for
    a number of their result. Outputs, gradients, parameters and the keys of `state_dict` are those of the plain one.
    Under `torch.compile` it is the plain one: there the compiler decides what is kept.
    """

    def __init__(self, adapters: Mapping[Edge, nn.Module], *, worth: int = 128):
        """`worth`: operations for a number of a result from which on it is kept; 0 keeps every product."""
        super().__init__(adapters)
        self.worth = worth

    def forward(self, streams: Mapping[str, Tensor]) -> Coupling:
        """As the plain one."""
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return super().forward(streams)
        names, plain = tuple(streams), super().forward

        def run(*tensors: Tensor) -> Coupling:
            return plain(dict(zip(names, tensors, strict=True)))

        coupling: Coupling = without_cheap(run, Tape(self.worth), list(self.modules()), *streams.values())
        return coupling

    def extra_repr(self) -> str:
        return f"worth={self.worth}"


def recomputed(lockstep: Lockstep, *, worth: int = 128) -> Lockstep:
    """`lockstep` whose couplers recompute what is cheap; both hold the very same encoders and adapters.

    - `worth`: products that cost fewer operations for a number of their result run again; with 0 none does, and the
      operations of a step stay what they are.

    To keep less for more operations, see `checkpointed`. For side mode take `side(recomputed(lockstep))`; the other way
    round is refused with `ValueError`.
    """
    if isinstance(lockstep, SideLockstep):
        raise ValueError("recomputed: the lockstep is in side mode already: take side(recomputed(lockstep)).")
    couplers: dict[str, Coupler] = {}
    for name, coupler in lockstep.couplers.items():
        edges = coupler.edges if isinstance(coupler, Coupler) else ()
        adapters = {edge: coupler.get_submodule("_".join(edge)) for edge in edges}
        couplers[name] = RecomputedCoupler(adapters, worth=worth)
    encoders = {name: module for name, module in lockstep.encoders.items() if isinstance(module, Encoder)}
    made = Lockstep(encoders, steps=lockstep.steps, couplers=couplers, streams=lockstep.streams)
    return made.train(lockstep.training)
