"""Fast linear layers on the CPU: an execution transform, applied from outside."""

from typing import TypeVar

from torch import Tensor, nn

from ...plain import stands_in_for
from .onednn import OneDNN

Model = TypeVar("Model", bound=nn.Module)


@stands_in_for(nn.Linear)
class FastLinear(nn.Linear):
    """Computes `nn.Linear`, large products by the faster library; numbers differ in their last digits alone."""

    products = OneDNN

    def forward(self, input: Tensor) -> Tensor:
        """Returns `input @ weightᵀ + bias`."""
        return OneDNN.linear(input, self.weight, self.bias)


def fast_linears(model: Model) -> Model:
    """Lets the faster library compute large float32 products of linear layers on the CPU; returns `model`.

    The first such product on a machine times torch's own library and oneDNN, in half a second, and what was found is
    kept: see `explain_products`. It works in place, forwards and backwards; elsewhere (other devices and dtypes,
    autocast, `torch.compile`, small layers) torch's own layer runs. Only modules whose class is exactly `nn.Linear`
    change, and they change their class alone: parameters, hooks, keys of `state_dict`, copies and pickles stay, and
    subclasses of your own are left alone. Blocks that evaluate a layer through its weights take that library, too.
    Applying it twice changes nothing more, the order among other transforms does not matter, and `plain_linears` undoes
    it.

    Args:
        model: Any module.
    """
    return _changed(model, nn.Linear, FastLinear)


def plain_linears(model: Model) -> Model:
    """Undoes `fast_linears` in place and returns `model`: for tools that look for exactly `nn.Linear`."""
    return _changed(model, FastLinear, nn.Linear)


def _changed(model: Model, kind: type[nn.Module], other: type[nn.Module]) -> Model:
    for module in model.modules():
        if type(module) is kind:
            module.__class__ = other
    return model
