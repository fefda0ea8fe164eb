"""Learning rates that change with every step."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


def one_cycle(optimizer: Optimizer, steps: int, *, warmup: float = 0.1) -> LRScheduler:
    """Up to the optimizer's learning rate, then down to almost nothing, both along a cosine.

    - `steps`: of the whole training. `warmup`: share of them in which the rate rises.

    Source: Smith and Topin, *Super-Convergence*, 2018, as torch's `OneCycleLR` has it.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    # one step is no cycle: torch would divide by zero
    return OneCycleLR(optimizer, rates, total_steps=max(steps, 2), pct_start=warmup)
