"""Tries the device that a command was asked to use."""

import torch


def check_device(device: str, command: str) -> None:
    """Tries a device before anything is read for it.

    Args:
        device: As torch names it.
        command: Named in the error.

    Raises:
        ValueError: If there is no such device here, or it computes nothing.
    """
    try:
        torch.empty(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"{command}: --device {device} cannot be used: {why}") from error
