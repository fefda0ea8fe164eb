"""Frozen encoders: no gradients, evaluation mode for good, and a fingerprint to prove that nothing moved."""

import hashlib
from collections.abc import Container
from typing import TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def freeze(encoder: M) -> M:
    """Freezes `encoder` in place and returns it: no gradients into its parameters, evaluation mode for good.

    A later `train()`, of the encoder, of a module that holds it or of one that it holds, leaves it in evaluation mode:
    BatchNorm statistics, dropout, drop-path and SpecAugment stay off. Gradients still flow through it to what feeds it.
    Its class, `state_dict`, copies and pickles are as before (and frozen); freezing twice is freezing once. Modules put
    into it afterwards, such as adapters, train as usual. `unfreeze` undoes it.
    """
    for module in encoder.modules():
        if not stays_in_eval(module):
            module.__dict__["train"] = _StaysInEval(module)
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None  # an optimizer that already holds it would still step on it
    return encoder.eval()


def unfreeze(encoder: M) -> M:
    """Undoes `freeze` in place and returns `encoder`, modes and gradient flags as they were before."""
    for module in encoder.modules():
        frozen = module.__dict__.get("train")
        if isinstance(frozen, _StaysInEval):
            del module.__dict__["train"]
            module.training = frozen.was_training
            for name in frozen.learned:
                module.get_parameter(name).requires_grad_(True)
    return encoder


def freeze_parameters(encoder: M) -> M:
    """Freezes the parameters of `encoder` alone, in place, and returns it: its modes follow `train()` and `eval()`.

    It does what `requires_grad_(False)` does and no more, also where `freeze` went before: in training, BatchNorm
    statistics drift, and dropout, drop-path and SpecAugment disturb the streams of a frozen encoder. Take it where this
    is meant, or to repeat trainings that did so; otherwise take `freeze`.
    """
    for parameter in unfreeze(encoder).parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return encoder


def freeze_all_but_norms(encoder: M) -> M:
    """Freezes `encoder` in place, save the scales and shifts of its norms, and returns it.

    Modes are those of `freeze`: a batch norm keeps its statistics. A norm is a module whose class is called so, such as
    `LayerNorm`, and what trains are its own parameters.

    Raises:
        ValueError: If no norm of the encoder has a parameter.
    """
    norms = [module for module in freeze(encoder).modules() if "norm" in type(module).__name__.lower()]
    scales = [parameter for norm in norms for parameter in norm.parameters(recurse=False)]
    if not scales:
        raise ValueError(
            f"freeze_all_but_norms: this {type(encoder).__name__} has no norm with parameters, so that nothing of it "
            "would be trained: take freeze."
        )
    for scale in scales:
        scale.requires_grad_(True)
    return encoder


def stays_in_eval(module: nn.Module) -> bool:
    """Returns whether `freeze` keeps this module (not its children) in evaluation mode."""
    return isinstance(module.__dict__.get("train"), _StaysInEval)


class _StaysInEval:
    """Replaces the `train` method of one frozen module.

    An object beside the module rather than a subclass of it: the class stays what it was, and copies and pickles carry
    it along.
    """

    def __init__(self, module: nn.Module):
        """Notes the module's mode and which of its parameters learn, for `unfreeze`."""
        self.module = module
        self.was_training = module.training
        self.learned = [name for name, parameter in module.named_parameters(recurse=False) if parameter.requires_grad]

    def __call__(self, mode: bool = True) -> nn.Module:
        self.module.training = False
        for child in self.module.children():
            child.train(mode)  # frozen ones stay; what was added after freezing follows
        return self.module


def fingerprint(module: nn.Module, *, without: Container[str] = ()) -> str:
    """Hashes name, dtype, shape and bytes of every parameter and buffer of `module`.

    The same on every device, for every memory layout and order of registration. Equal fingerprints mean equal weights
    bit for bit.

    Args:
        module: Any module with weights.
        without: Names of parameters and buffers that are left out, such as those that training moves.

    Returns:
        64 hexadecimal digits.

    Raises:
        ValueError: If a tensor is on the meta device, where it has no bytes.
    """
    # tied weights under every name: which of them torch lists depends on the order of registration
    tensors: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    tensors |= dict(module.named_buffers(remove_duplicate=False))
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        if name in without:
            continue
        if tensor.is_meta:
            raise ValueError(
                f"fingerprint: {name!r} of {type(module).__name__} is on the meta device and has no bytes to hash; "
                "load the weights first (to_empty(device=...), then load_state_dict)."
            )
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # as bytes: numpy has no bfloat16
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
