"""How things are measured: variants in turns in one process, operations and bytes on the meta device."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from crossmodal.ledger.fused import FORMULAS, fused_attention
from crossmodal.ledger.nested import shadow

SHORTEST = 0.1
"""Seconds that a sample lasts at least: short calls are repeated within it."""

Seconds = dict[str, list[float]]
"""Variant → seconds of one call, round by round."""


def in_turns(
    variants: Mapping[str, Callable[[], Any]], *, rounds: int, device: str, shortest: float = SHORTEST
) -> Seconds:
    """Times every variant once a round, the list forwards and backwards in turns, each after one call unseen."""
    times = {}
    for name, run in variants.items():
        seconds(run, 1, device)
        times[name] = max(1, round(shortest / max(seconds(run, 1, device), 1e-6))) if shortest else 1
    found: Seconds = {name: [] for name in variants}
    for turn in range(rounds):
        for name in list(variants)[:: -1 if turn % 2 else 1]:
            found[name].append(seconds(variants[name], times[name], device))
    return found


def seconds(run: Callable[[], Any], times: int, device: str) -> float:
    """Seconds of one of `times` calls in a row."""
    settle(device)
    begun = time.perf_counter()
    for _ in range(times):
        run()
    settle(device)
    return (time.perf_counter() - begun) / times


def settle(device: str) -> None:
    """Waits for what is still running on a GPU."""
    if device != "cpu":
        torch.cuda.synchronize()


def forward_and_backward(module: nn.Module, *inputs: Tensor) -> None:
    """One forward, and a backward from every output into parameters and inputs."""
    outputs = module(*(tensor.detach().requires_grad_() for tensor in inputs))
    residual = outputs if isinstance(outputs, Tensor) else outputs[0]
    residual.backward(torch.ones_like(residual))


def counted(module: nn.Module, *inputs: Tensor) -> dict[str, int]:
    """Operations of forward and backward, into the inputs too, and bytes kept for the backward, inputs included."""
    module = shadow(module)
    inputs = tuple(torch.empty_like(tensor, device="meta") for tensor in inputs)
    weights = {tensor.untyped_storage() for tensor in (*module.parameters(), *module.buffers())}
    kept: dict[torch.UntypedStorage, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage() not in weights:
            kept[tensor.untyped_storage()] = tensor.untyped_storage().nbytes()
        return tensor

    counter, kept_by = FlopCounterMode(display=False, custom_mapping=FORMULAS), saved_tensors_hooks(keep, _as_it_is)
    with counter, fused_attention(), kept_by:
        forward_and_backward(module, *inputs)
    return {"operations": counter.get_total_flops(), "saved": sum(kept.values())}


def woken(module: nn.Module) -> nn.Module:
    """`module`, what starts at zero in it moved a little: gates, norms, biases."""
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return module


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
