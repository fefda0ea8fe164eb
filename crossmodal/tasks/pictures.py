"""Items with their frames as pictures, as a task draws them: a system's normalisation is undone."""

from typing import Any

from torch import nn

from crossmodal.drawing.frames import pictures


def with_pictures(item: Any, system: nn.Module) -> Any:
    """Returns an item whose `frames` are RGB in [0, 1]; one whose frames are no pictures, but features, as it is.

    Args:
        item: NamedTuple of one item, whose frames are normalised as `system` asks for.
        system: Its `inputs` say how.
    """
    frames, inputs = getattr(item, "frames", None), getattr(system, "inputs", None)
    if inputs is None or frames is None or frames.ndim != 4 or frames.shape[1] != 3:
        return item
    return item._replace(frames=pictures(frames, inputs.preprocess))
