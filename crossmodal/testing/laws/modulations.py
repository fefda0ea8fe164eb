"""Laws of modulations: the range of the factor, and the identity where all weights are zero."""

import torch
from torch import nn

from ...adapters import Modulation, Modulations
from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial


@law(2, "factor range")
def factor_lies_in_its_span(trial: Trial) -> None:
    """A modulation's factor lies in [base, base + Σ weights]; one after another, the factors multiply."""
    trial = trial.exact()
    block = trial.woken()
    low, high = span(block)
    stream = torch.rand_like(trial.inputs["stream"]) + 0.5  # away from zero: the factor is a quotient
    factor = trial.run(block, stream=stream)["stream"] / stream
    least, most = factor.min().item(), factor.max().item()
    within = low - 1e-9 <= least and most <= high + 1e-9
    expect(within, f"factor: expected values in [{low:.6g}, {high:.6g}], found [{least:.6g}, {most:.6g}]")


@law(3, "weights of zero")
def weights_of_zero(trial: Trial) -> None:
    """With weights of zero and base one a modulation is the identity, bit for bit."""
    block = trial.woken()
    for modulation in modulations_of(block):
        modulation.base = 1.0
        for name in modulation.names:
            weight = getattr(modulation, f"{name}_weight")
            setattr(modulation, f"{name}_weight", nn.Parameter(weight * 0) if isinstance(weight, nn.Parameter) else 0.0)
    stream = trial.inputs["stream"]
    expect_close("stream, all weights zero and base one,", trial.run(block)["stream"], stream)


def modulations_of(block: nn.Module) -> list[Modulation]:
    """Lists the modulations that a block applies one after another."""
    if isinstance(block, Modulation):
        return [block]
    if isinstance(block, Modulations):
        return [modulation for modulation in block.stages if isinstance(modulation, Modulation)]
    raise NotApplicable(f"{type(block).__name__} is no Modulation whose base and weights could be read")


def span(block: nn.Module) -> tuple[float, float]:
    """Computes the least and the greatest factor that maps in [0, 1] can make."""
    least, greatest = 1.0, 1.0
    for modulation in modulations_of(block):
        weights = [torch.as_tensor(getattr(modulation, f"{name}_weight")).item() for name in modulation.names]
        low = modulation.base + sum(min(weight, 0.0) for weight in weights)
        high = modulation.base + sum(max(weight, 0.0) for weight in weights)
        ends = [one * other for one in (least, greatest) for other in (low, high)]
        least, greatest = min(ends), max(ends)
    return least, greatest
