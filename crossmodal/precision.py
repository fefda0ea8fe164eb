"""Precision: code that autocast leaves alone, and what the numbers of a product still depend on there."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Returns a context in which products keep the dtype of their factors; the meta device has no autocast."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


@contextmanager
def for_later_calls(device: torch.device) -> Iterator[None]:
    """Runs a block outside of the modes of the call: for a tensor that is kept for calls in other modes.

    Autocast would round it for good, and a tensor created in inference mode could not be saved for a later backward.
    """
    with torch.inference_mode(False), torch.no_grad(), without_autocast(device):
        yield


def numeric_settings() -> tuple[object, ...] | None:
    """Returns the settings of the process that numbers depend on; `None` where torch cannot tell them."""
    try:
        return torch.get_default_dtype(), torch.get_float32_matmul_precision()
    except RuntimeError:  # set by the old and by the new interface of torch, which then refuses to say
        return None
