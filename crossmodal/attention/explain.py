"""Which backend of `attend` would run on given tensors, in which kernel, and why the others would not."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..shapes import shaped
from .backends import full_bias, hidden_rows, import_xformers, lowered, xformers_fix

FUSED = {
    "cpu": (SDPBackend.FLASH_ATTENTION,),
    "cuda": (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION),
}
"""The kernels by which torch can replace its plain one, by device."""


@dataclass(frozen=True)
class Explanation:
    """What `explain` found; its `str()` is what was printed.

    - `tensors`: shapes, dtype and device of what was asked about.
    - `kernels`: backend → the kernel it would run; a backend that would refuse is absent.
    - `refusals`: backend, or one of sdpa's fused kernels as `"sdpa/flash"` → why it would not run, in its own words.
    - `caution`: what is undefined on these tensors, on any backend; empty where nothing is.
    """

    tensors: str
    kernels: Mapping[str, str]
    refusals: Mapping[str, str]
    caution: str = ""

    def __str__(self) -> str:
        lines = [self.tensors]
        lines += [f"  {backend} runs {kernel}" for backend, kernel in self.kernels.items()]
        for name, reasons in self.refusals.items():
            first, *rest = reasons.splitlines()
            lines += [f"  {name} would not run: {first}", *(f"    {line}" for line in rest)]
        return "\n".join(lines + ([f"  caution: {self.caution}"] if self.caution else []))


@shaped
def explain(
    query: Float[Tensor, "batch query head width"],
    key: Float[Tensor, "batch key head width"],
    value: Float[Tensor, "batch key head value_width"],
    *,
    bias: Float[Tensor, "#batch #head query key"] | None = None,
    scale: float | None = None,
) -> Explanation:
    """Prints which kernel every backend of `attend` would run on these tensors, and why the others would not.

    The arguments are those of `attend`; nothing is computed from them, save a look for rows of `bias` that hide every
    key. Autocast, gradients and `torch.nn.attention.sdpa_kernel` count: ask under the conditions of the real call.
    Returns what it printed, as data. Raises what `attend` raises for shapes, dtypes and devices that do not fit.
    """
    caution = hidden_rows(bias) if bias is not None else ""
    query, key, value, bias = lowered(query), lowered(key), lowered(value), None if bias is None else lowered(bias)
    sdpa, sdpa_refusals = _ask_sdpa(query, key, value, bias, scale)
    xformers, xformers_refusals = _ask_xformers(query, key, value, full_bias(query, bias), scale)
    reference = {"reference": "two matrix products around a softmax, every weight in memory"}
    explanation = Explanation(
        _describe(query, key, value, bias), sdpa | xformers | reference, sdpa_refusals | xformers_refusals, caution
    )
    print(explanation)
    return explanation


Answer = tuple[dict[str, str], dict[str, str]]
"""What one backend answers: its kernel, and its refusals, by name."""


def _describe(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> str:
    named = {"query": query, "key": key, "value": value} | ({"bias": bias} if bias is not None else {})
    shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in named.items())
    return f"attend on {query.device}, {str(query.dtype).removeprefix('torch.')}: {shapes}"


def _ask_sdpa(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Answer:
    """The kernel that torch would choose, and its reasons against each fused one, asked for alone."""
    if query.is_meta:
        return {"sdpa": "no kernel: meta tensors have shapes only"}, {}
    chosen, against = _choose(query, key, value, bias, scale)
    kernels = {"sdpa": f"the {_name(chosen)} kernel"} if chosen else {}
    refusals = {} if chosen else {"sdpa": against}
    for kernel in FUSED.get(query.device.type, ()):
        with sdpa_kernel([kernel]):
            chosen, against = _choose(query, key, value, bias, scale)
        if chosen is None:
            refusals[f"sdpa/{_name(kernel)}"] = against
    return kernels, refusals


def _choose(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None
) -> tuple[SDPBackend | None, str]:
    """The kernel that torch chooses among those switched on, or none and what torch says of it."""
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return SDPBackend(torch._fused_sdp_choice(query, key, value, bias, scale=scale)), ""
        except RuntimeError as refusal:
            return None, _reasons([str(warning.message) for warning in said]) or str(refusal)


def _name(kernel: SDPBackend) -> str:
    return kernel.name.lower().removesuffix("_attention").replace("_", "-")


def _reasons(warned: list[str]) -> str:
    """torch's reasons, without its headlines and without the kernels that were only switched off to ask."""
    noise = ("kernel not used because", "runtime disabled")
    reasons = [message.partition(" (Triggered internally")[0] for message in warned]
    return "\n".join(reason for reason in reasons if not any(words in reason for words in noise))


def _ask_xformers(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Answer:
    """The operators that xformers would dispatch to, or its own reasons and the fix."""
    try:
        fmha = import_xformers().fmha
        inputs = fmha.Inputs(query=query, key=key, value=value, attn_bias=bias, scale=scale)
        gradient = any(tensor.requires_grad for tensor in (query, key, value, bias) if tensor is not None)
        kernel = fmha.dispatch._dispatch_fw(inputs, gradient).NAME
        backward = f" and {fmha.dispatch._dispatch_bw(inputs, None).NAME} backward" if gradient else ""
    except ImportError as missing:
        return {}, {"xformers": str(missing)}
    except NotImplementedError as refusal:
        return {}, {"xformers": f"{refusal}\nFix: {xformers_fix(query.device)}"}
    return {"xformers": kernel + backward}, {}
