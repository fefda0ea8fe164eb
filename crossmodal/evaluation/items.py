"""Single items as a system takes them: for pages and pictures, which show one at a time."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.data import default_collate


def batch_of(item: Any, system: nn.Module) -> Any:
    """Returns the batch of one item, where the system's parameters are and in their precision."""
    return batch_of_items([item], system)


def batch_of_items(items: Sequence[Any], system: nn.Module) -> Any:
    """Returns the batch of some items, where the system's parameters are and in their precision."""
    return batch_like(default_collate(list(items)), next(system.parameters(), torch.zeros(())))


def batch_like(batch: Any, like: Tensor) -> Any:
    """Returns a batch where a parameter is, and in its precision where both are real numbers."""
    return tree_map(lambda part: _moved(part, like) if isinstance(part, Tensor) else part, batch)


def _moved(part: Tensor, like: Tensor) -> Tensor:
    """Returns one tensor of it."""
    return part.to(like) if part.is_floating_point() else part.to(like.device)


@torch.inference_mode()
def predict_item(system: Any, item: Any) -> Any:
    """Returns the prediction of a batch of one item."""
    return system.predict(system(batch_of(item, system)))
