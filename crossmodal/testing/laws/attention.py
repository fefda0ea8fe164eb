"""The law of attention: every backend computes the one formula."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...attention import attend
from ..law import expect_close, law

Attend = Callable[..., Tensor]


@dataclass(frozen=True)
class AttentionTrial:
    """Holds a trial of a function with the arguments of `crossmodal.attention.attend`."""

    attend: Attend
    query: Tensor
    key: Tensor
    value: Tensor
    bias: Tensor | None = None
    scale: float | None = None

    def run(self, function: Attend) -> dict[str, Tensor]:
        """Computes the output, and the gradient of a fixed blend of it into every tensor."""
        tensors = {"query": self.query, "key": self.key, "value": self.value}
        tensors |= {} if self.bias is None else {"bias": self.bias}
        leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
        output = function(*list(leaves.values())[:3], bias=leaves.get("bias"), scale=self.scale)
        # a weight for every entry: errors in several of them do not cancel
        blend = torch.arange(output.numel(), dtype=output.dtype).cos().view(output.shape)
        gradients = torch.autograd.grad((output * blend).sum(), list(leaves.values()))
        return {"output": output} | {f"gradient of {name}": g for name, g in zip(leaves, gradients, strict=True)}


@law(11, "backends agree", examples=20)
def backends_agree(trial: AttentionTrial) -> None:
    """An attention computes `softmax(scale · q kᵀ + bias) v`, in outputs and gradients, as the `reference` backend."""
    given = [tensor for tensor in (trial.query, trial.key, trial.value, trial.bias) if tensor is not None]
    kept = [tensor.clone() for tensor in given]
    with torch.no_grad():
        trial.attend(trial.query, trial.key, trial.value, bias=trial.bias, scale=trial.scale)
    for tensor, clone in zip(given, kept, strict=True):
        expect_close("an input after a call", tensor, clone)
    found = trial.run(trial.attend)
    for name, value in trial.run(lambda *args, **kwargs: attend(*args, **kwargs, backend="reference")).items():
        expect_close(name, found[name], value, tolerance=1e-4)
