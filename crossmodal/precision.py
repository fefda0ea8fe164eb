"""Precision: sums that must not run in half precision."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """While it is entered, products keep the dtype of their factors; tensors without data know no autocast."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)
