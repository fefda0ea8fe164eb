"""Learning rates that change with every step."""

import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, MultiStepLR, OneCycleLR


def one_cycle(optimizer: Optimizer, steps: int, *, warmup: float = 0.1) -> LRScheduler:
    """Up to the optimizer's learning rate, then down to almost nothing, both along a cosine.

    - `steps`: of the whole training. `warmup`: share of them in which the rate rises.

    Source: Smith and Topin, *Super-Convergence*, 2018, as torch's `OneCycleLR` has it.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    # one step is no cycle: torch would divide by zero
    return OneCycleLR(optimizer, rates, total_steps=max(steps, 2), pct_start=warmup)


class MultiStep(MultiStepLR):
    """Multiplies the learning rate by `factor` at every milestone; stepped after every step of the training."""

    def __init__(
        self, optimizer: Optimizer, steps: int, *, epochs: int, milestones: tuple[int, ...], factor: float = 0.5
    ):
        """Places the milestones.

        Args:
            optimizer: Its learning rates.
            steps: Steps of the whole training.
            epochs: Epochs of the published training; in one of another length the milestones move in proportion.
            milestones: Epochs of it after which the rate falls.
            factor: What the rate is multiplied by.
        """
        super().__init__(optimizer, [round(steps * each / epochs) for each in milestones], factor)


def cosine_by_epoch(
    optimizer: Optimizer, steps: int, *, epochs: int, first: float = 1e-5, warm: int = 1
) -> LRScheduler:
    """Holds a small rate for the first epoch, then falls along a cosine, epoch by epoch, as Dassl trains prompts.

    Args:
        optimizer: Its learning rate.
        steps: Steps of the whole training.
        epochs: Epochs of the published training; in one of another length they are stretched.
        first: Learning rate of the first epochs.
        warm: Epochs of that rate.
    """
    rate = optimizer.param_groups[0]["lr"]
    return LambdaLR(optimizer, partial(_cosine_share, epochs=epochs, steps=steps, warm=warm, least=first / rate))


def _cosine_share(step: int, *, epochs: int, steps: int, warm: int, least: float) -> float:
    """Returns the share of the learning rate at a step."""
    epoch = step * epochs // max(steps, 1)
    return least if epoch < warm else (1 + math.cos(math.pi * epoch / epochs)) / 2
