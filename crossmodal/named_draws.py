"""Random numbers by name: a part of a model draws the same initial weights whatever stands beside it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


class _Scope:
    """A named part that is being built: its seed, and how often each name stood in it so far."""

    def __init__(self, seed: int):
        self.seed, self.names = seed, Counter[str]()


_SCOPE: ContextVar[_Scope | None] = ContextVar("scope of named draws", default=None)


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """Draws from generators seeded by `seed`, and puts them back afterwards: nothing outside notices."""
    generators = default_generators()
    states = [generator.get_state() for generator in generators]
    token = _SCOPE.set(_Scope(seed))
    try:
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        _SCOPE.reset(token)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextmanager
def named_draws(name: str) -> Iterator[None]:
    """Draws from generators of its own, whose seed follows from the names of this part and of those around it.

    The outermost name takes one number from torch's generator, whatever is drawn inside, so that two models built one
    after another differ. A name that stands twice in one part is told apart by its number.
    """
    scope = _SCOPE.get()
    if scope is None:
        scope = _Scope(int(torch.randint(2**62, (), device="cpu")))
    number = scope.names[name]
    scope.names[name] += 1
    with seeded_draws(seed_of(scope.seed, name, number)):
        yield


def drawn(name: str, factory: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls the factory of a part with draws of its own: `drawn("head", EventHead, 256, 28)`."""
    with named_draws(name):
        return factory(*args, **kwargs)


def seed_of(outer: int, name: str, number: int) -> int:
    """Returns a seed of 63 bits; Python's own `hash` differs between processes."""
    digest = hashlib.blake2b(f"{outer}/{name}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def default_generators() -> list[torch.Generator]:
    """Returns torch's default generators: the CPU's, and those of CUDA once it is in use.

    `torch.manual_seed` would also queue a seed for a CUDA that is not, and so change what a model draws there later.
    """
    on_cuda = torch.cuda.default_generators if torch.cuda.is_initialized() else ()
    return [torch.default_generator, *on_cuda]
