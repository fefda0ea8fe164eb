"""The backends of `attend`, one function each: `(query, key, value, bias, scale)` → the attended values."""

import difflib
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F

Backend = Callable[[Tensor, Tensor, Tensor, Tensor | None, float | None], Tensor]


def backend_named(name: str) -> Backend:
    """Returns the backend of that name.

    Raises:
        ValueError: If there is none; names those there are.
    """
    if name not in BACKENDS:
        near = difflib.get_close_matches(name, BACKENDS, n=1, cutoff=0.3)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"attend: backend={name!r} does not exist{hint}; choose one of {', '.join(map(repr, BACKENDS))}."
        )
    return BACKENDS[name]


def sdpa(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Computes attention by torch's own kernels: flash, memory-efficient, cuDNN or plain, as torch chooses."""
    # torch has the heads before the tokens
    attended = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=bias, scale=scale
    )
    return attended.transpose(1, 2)


def reference(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Computes attention by its formula, every weight in memory: the oracle of the others.

    Raises:
        ValueError: If a row of `bias` hides every key.
    """
    if bias is not None and (rows := hidden_rows(bias)):
        raise ValueError(f"attend: {rows}: a query must keep at least one key.")
    logits = torch.einsum("bqhd,bkhd->bhqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    weights = (logits if bias is None else logits + bias).softmax(dim=-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value)


def xformers(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Computes attention by `xformers.ops.memory_efficient_attention`.

    Raises:
        RuntimeError: If it cannot run these tensors; with its own reasons and the fix.
    """
    query, key, value, bias = lowered(query), lowered(key), lowered(value), full_bias(query, bias)
    if bias is not None and bias.requires_grad and not query.requires_grad and torch.is_grad_enabled():
        # xformers looks at query, key and value only: a bias that learns alone would get no gradient, in silence.
        query = query.detach().requires_grad_()
    try:
        return import_xformers().memory_efficient_attention(query, key, value, attn_bias=bias, scale=scale)
    except (NotImplementedError, ValueError) as refusal:
        raise RuntimeError(
            f"attend: backend='xformers' cannot run on these tensors. {refusal}\nFix: {xformers_fix(query.device)}"
        ) from refusal


BACKENDS: dict[str, Backend] = {"sdpa": sdpa, "xformers": xformers, "reference": reference}


def hidden_rows(bias: Tensor) -> str:
    """Describes the rows of `bias` that are minus infinity at every key; empty if there are none, or no data."""
    if torch.compiler.is_compiling() or bias.is_meta:
        return ""
    hidden = bias.detach().isneginf().all(dim=-1)
    if not hidden.any():
        return ""
    batch, head, query = hidden.nonzero()[0].tolist()
    return (
        f"{int(hidden.sum())} of {hidden.numel()} rows of bias are minus infinity at every key, the first at "
        f"(batch, head, query) = ({batch}, {head}, {query})"
    )


def lowered(tensor: Tensor) -> Tensor:
    """Returns `tensor` in autocast's dtype, as torch's own attention takes it; itself where autocast is off."""
    device = tensor.device.type
    if device == "meta" or not torch.is_autocast_enabled(device):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))


def full_bias(query: Tensor, bias: Tensor | None) -> Tensor | None:
    """Returns `bias` as xformers takes it: a plain Tensor of full shape whose rows start on 16-byte boundaries."""
    return None if bias is None else _aligned(lowered(bias)).expand(query.shape[0], query.shape[2], -1, -1)


def _aligned(bias: Tensor) -> Tensor:
    """Returns `bias` itself where its rows are aligned, else a copy cut from a wider tensor."""
    step = 16 // bias.element_size()
    aligned = bias.stride(-1) == 1 and all(stride % step == 0 for stride in bias.stride()[:-1])
    if aligned and bias.storage_offset() % step == 0:
        return bias
    return F.pad(bias, (0, -bias.shape[-1] % step)).contiguous()[..., : bias.shape[-1]]


def import_xformers() -> ModuleType:
    """Imports `xformers.ops`, on first use: it takes seconds.

    Raises:
        ImportError: If xformers is not installed; with the command that installs it.
    """
    try:
        import xformers.ops
    except ImportError as missing:
        raise ImportError(
            "attend: backend='xformers' needs the package xformers: pip install \"crossmodal-blocks[xformers]\", "
            "or use backend='sdpa'."
        ) from missing
    return xformers.ops


def xformers_fix(device: torch.device) -> str:
    """Says what to do where xformers refuses: the cause that it does not name itself, or where it could run."""
    from xformers import _cpp_lib

    if device.type != "cuda":
        return f"xformers runs on CUDA only and these tensors are on {device}; move them, or use backend='sdpa'."
    if getattr(_cpp_lib, "_cpp_library_load_exception", None) is not None:
        return (
            "xformers could not load its extension, so that it refuses every op although xformers.info calls them "
            "available. The wheel on the public index needs CUDA 12's runtime; this is torch "
            f"{torch.__version__} on CUDA {torch.version.cuda}. Install torch==2.10.*, or the xformers wheel built for "
            "CUDA 13 (github.com/facebookresearch/xformers#installing-xformers), or use backend='sdpa'."
        )
    return "change what the reasons name, or use backend='sdpa', which computes the same."
