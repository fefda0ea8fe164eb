"""Turns laws into pytest cases, one a law."""

from functools import partial
from typing import Any

import torch

from .adapter import ADAPTER, ALIGNMENT, BOTTLENECK, MODULATION
from .guidance import GUIDANCE
from .law import Law
from .report import LawBroken, Report
from .suite import Suite, describe, needed

BUILT: tuple[Suite[Any, Any, Any], ...] = (GUIDANCE, ALIGNMENT, ADAPTER, MODULATION, BOTTLENECK)


def parametrize_laws(*factories: Any, suite: Suite[Any, Any, Any] | None = None) -> Any:
    """Builds a `pytest.mark.parametrize` with one case a law and factory; the test calls what it is given.

        @parametrize_laws(ChannelGuidance, partial(SpatialGuidance, reduction=1))
        def test_laws(law):
            law()

    A broken law fails with its shrunk example; one that does not apply, or that the block exempts itself from, skips
    with the reason.

    Args:
        *factories: Factories of guidance, alignments, adapters, modulations or bottlenecks.
        suite: The laws; by default those of the kind of block that the factories return. `GUIDANCE.bounded(...)` and
            its like bound the widths that are drawn.

    Raises:
        ValueError: If a factory fits no suite.
        ImportError: If hypothesis or pytest is not installed.
    """
    pytest = needed("pytest")
    cases = []
    for factory in factories:
        asked = suite or suite_of(factory)
        name = describe(factory)
        cases += [pytest.param(partial(hold, asked, law, factory), id=f"{name}: {law.name}") for law in asked.laws]
    return pytest.mark.parametrize("law", cases)


def suite_of(factory: Any) -> Suite[Any, Any, Any]:
    """Finds the suite that the blocks of a factory fit.

    Raises:
        ValueError: If none does.
    """
    said = []
    for suite in BUILT:
        try:
            # a trial draws weights: the caller's random state stays where it was
            with torch.random.fork_rng(devices=[]):
                fits = suite.fits(suite.trial(factory, suite.smallest(factory)))
            if fits:
                return suite
        except Exception as error:
            said.append(f"as {suite.kind}: {type(error).__name__}: {error}".splitlines()[0])
    raise ValueError(
        f"parametrize_laws: {describe(factory)} makes none of {', '.join(suite.kind for suite in BUILT)}: pass "
        f"suite=. It was tried {' · '.join(said)}"
    )


def hold(suite: Suite[Any, Any, Any], law: Law[Any], factory: Any) -> None:
    """Checks one law; raises `LawBroken`, or skips the test with the reason."""
    outcome = suite.ask(law, factory)
    if outcome.verdict == "broken":
        raise LawBroken(Report(f"{describe(factory)} ({suite.kind})", [outcome]))
    if outcome.verdict != "held":
        needed("pytest").skip(f"{outcome.verdict}: {outcome.words}")
