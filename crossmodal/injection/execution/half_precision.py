"""A frozen encoder in half precision between couplers in full: from outside, section by section."""

import warnings
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..encoder import Encoder
from .fine_clock import fine_clock


def half_precision(encoder: Encoder, dtype: torch.dtype = torch.bfloat16) -> Encoder:
    """Brings the sections of a frozen encoder to `dtype`, in place, and returns it.

    Every section takes its stream in `dtype` and gives it back in float32. So streams between sections, residuals, and
    couplers with their maps stay in full precision, and a residual is rounded once: on entering the next section. Stem
    (a log-mel in dB has no room in eight bits), head and batch norms stay in full precision too. Weights of sections,
    and what is kept of them for the backward, take half the room; keys of `state_dict` are as before, and the
    fingerprint is another.

    Not every CPU has instructions for half precision, and without them products take several times as long as in
    float32. A short timing tells, and a warning says so: memory is saved there, and no time.

    Args:
        encoder: A frozen one.
        dtype: `torch.bfloat16`, or `torch.float16` where its range is known to do.

    Raises:
        ValueError: If the dtype is another, the encoder is not frozen (small steps round to nothing), it has been here
            before, or a weight is too large for the dtype. The encoder then stays as it was.
    """
    if dtype not in (torch.bfloat16, torch.float16):
        raise ValueError(f"half_precision: dtype={dtype} must be torch.bfloat16 or torch.float16.")
    learned = sum(parameter.requires_grad for parameter in encoder.parameters())
    if learned:
        raise ValueError(f"half_precision: {learned} parameters of the encoder take gradients: freeze(encoder) first.")
    sections = list(encoder.sections.values())
    if any(_halved(section) for section in sections):
        raise ValueError("half_precision: the encoder is in half precision already: call it once.")
    # one module at a time: `section.to(dtype)` would take its batch norms along
    converted = {
        f"sections.{at}.{name}": module
        for at, section in encoder.sections.items()
        for name, module in section.named_modules()
        if not isinstance(module, _BatchNorm)
    }
    for name, module in converted.items():
        _check_range(name, module, dtype)
    if any(parameter.device.type == "cpu" for parameter in encoder.parameters()):
        _say_if_slower(dtype)
    for module in converted.values():
        _convert(module, dtype)
    for section in sections:
        section.register_forward_pre_hook(partial(_enter, dtype))
        # First of all hooks: those of others see the stream as it goes on, in float32.
        section.register_forward_hook(_leave, prepend=True)
    return encoder


def time_of_product(dtype: torch.dtype) -> float:
    """Returns the time of a product of 512³ on the CPU, in seconds: the least of five."""
    left = torch.linspace(-1, 1, 512 * 512).view(512, 512).to(dtype)
    found, clock = [], fine_clock()
    with torch.no_grad():
        for _ in range(5):
            begun = clock()
            left @ left
            found.append(clock() - begun)
    return min(found)


@cache
def times_as_long(dtype: torch.dtype) -> float:
    """Returns how many times the time of float32 a product in `dtype` takes on this CPU; timed once in a process."""
    return time_of_product(dtype) / max(time_of_product(torch.float32), 1e-9)


def _say_if_slower(dtype: torch.dtype) -> None:
    ratio = times_as_long(dtype)
    if ratio > 1.2:  # less may be the noise of a busy machine
        warnings.warn(
            f"half_precision: a product in {dtype} takes {ratio:.1f} times as long as in float32 on this processor: "
            "it saves memory here, and no time.",
            stacklevel=3,
        )


def _halved(section: nn.Module) -> bool:
    return _leave in section._forward_hooks.values()


def _check_range(name: str, module: nn.Module, dtype: torch.dtype) -> None:
    """Refuses a tensor that the dtype turns into infinity; infinite ones, as of a mask, stay what they are."""
    for part, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
        if tensor.is_floating_point() and not tensor.is_meta:
            fits = tensor.to(dtype).isfinite() | ~tensor.isfinite()
            if not fits.all():
                largest = float(tensor[~fits].abs().max())
                raise ValueError(
                    f"half_precision: {name}.{part} reaches {largest:.4g}, which {dtype} cannot hold: take "
                    "torch.bfloat16, or leave the encoder in float32."
                )


def _convert(module: nn.Module, dtype: torch.dtype) -> None:
    for parameter in module.parameters(recurse=False):
        parameter.data = parameter.data.to(dtype)
    for name, buffer in list(module.named_buffers(recurse=False)):
        if buffer.is_floating_point():  # indices stay whole numbers
            setattr(module, name, buffer.to(dtype))


def _enter(dtype: torch.dtype, section: nn.Module, args: tuple[Tensor, ...]) -> tuple[Any, ...]:
    return (args[0].to(dtype), *args[1:])


def _leave(section: nn.Module, args: tuple[Tensor, ...], stream: Tensor) -> Tensor:
    return stream.float()
