"""Tells which backend of `attend` would run on given tensors, in which kernel, and why the others would not."""

import warnings
from contextlib import nullcontext
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..shapes import shaped
from .backends import hidden_rows, lowered, xformers

KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}
FUSED = {"cpu": ("flash",), "cuda": ("flash", "efficient", "cudnn")}
"""The kernels by which torch can replace its plain one, by device."""


class Explanation(NamedTuple):
    """Result of `explain`; its `str()` is what was printed.

    `tensors` describes what was asked about. `kernels` maps each backend that would run to its kernel, `refusals` each
    that would not (one of sdpa's fused kernels as `"sdpa/flash"`) to its own reasons. `caution` names what is undefined
    on these tensors, on any backend.
    """

    tensors: str
    kernels: dict[str, str]
    refusals: dict[str, str]
    caution: str = ""

    def __str__(self) -> str:
        lines = [self.tensors, *(f"  {backend} runs {kernel}" for backend, kernel in self.kernels.items())]
        lines += [f"  {name} would not run: " + why.replace("\n", "\n    ") for name, why in self.refusals.items()]
        return "\n".join(lines + [f"  caution: {self.caution}"] * bool(self.caution))


@shaped
def explain(
    query: Float[Tensor, "batch query head width"],
    key: Float[Tensor, "batch key head width"],
    value: Float[Tensor, "batch key head value_width"],
    *,
    bias: Float[Tensor, "#batch #head query key"] | None = None,
    scale: float | None = None,
) -> Explanation:
    """Prints which backends of `attend` would run on these tensors, in which kernel, and why the others would not.

    torch and xformers are asked under the conditions of the call: autocast, gradients and
    `torch.nn.attention.sdpa_kernel` count. xformers is tried; nothing else is computed.

    Args:
        query: As of `attend`.
        key: As of `attend`.
        value: As of `attend`.
        bias: As of `attend`; rows that hide every key are a caution.
        scale: As of `attend`.

    Returns:
        What it printed, as data.
    """
    tensors = {"query": query, "key": key, "value": value} | ({} if bias is None else {"bias": bias})
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
    title = f"attend on {query.device}, {str(lowered(query).dtype).removeprefix('torch.')}: {shapes}"
    kernels: dict[str, str] = {}
    refusals: dict[str, str] = {}
    fused = FUSED.get(query.device.type, ())
    for name in ("sdpa", *(f"sdpa/{kernel}" for kernel in fused), "xformers"):
        kernel, reasons = _asked(name, query, key, value, bias, scale)
        if reasons:
            refusals[name] = reasons
        elif "/" not in name:
            kernels[name] = kernel
    kernels["reference"] = "two matrix products around a softmax, every weight in memory"
    explanation = Explanation(title, kernels, refusals, hidden_rows(bias) if bias is not None else "")
    print(explanation)
    return explanation


def _asked(
    name: str, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None
) -> tuple[str, str]:
    """Returns the kernel that a backend would run, or the reasons that it or torch's warnings give against it."""
    alone = name.partition("/")[2]
    only = sdpa_kernel([KERNELS[alone]]) if alone else nullcontext()
    with warnings.catch_warnings(record=True) as said, only:
        warnings.simplefilter("always")
        try:
            if name == "xformers":
                xformers(query, key, value, bias, scale)
                return "memory_efficient_attention", ""
            if query.is_meta:
                return "no kernel: meta tensors have shapes only", ""
            first, second, third = (lowered(tensor).transpose(1, 2) for tensor in (query, key, value))
            mask = None if bias is None else lowered(bias)
            # private, and the one way to ask without computing
            chosen = SDPBackend(torch._fused_sdp_choice(first, second, third, mask, scale=scale))
            return f"the {next((name for name in KERNELS if KERNELS[name] == chosen), chosen.name)} kernel", ""
        except (RuntimeError, ImportError) as refusal:
            # torch says why in warnings; of these, headlines and kernels switched off in order to ask say nothing.
            noise = ("kernel not used because", "runtime disabled")
            words = [str(warning.message).partition(" (Triggered internally")[0] for warning in said]
            return "", "\n".join(word for word in words if not any(of in word for of in noise)) or str(refusal)
