"""The law of bad input: nothing broadcasts in silence, and every refusal says where, what and the numbers."""

import re
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn

from ..law import Violation, law
from ..trial import Trial, shapes

Wrong = tuple[str, str, Tensor, tuple[str, ...]]
"""A wrong input: the fault in words, the argument, the wrong tensor, and the values that an error must name."""


@law(12, "bad input is named", examples=3)
def bad_input_is_named(trial: Trial) -> None:
    """A wrong shape, width, dtype, device or frame count raises an error naming block, argument and both values."""
    block = trial.woken()
    for what, argument, tensor, values in wrong(trial, block):
        try:
            trial.run(block, **{argument: tensor})
        except Exception as error:
            must_name(what, error, "the block", block_names(block))
            must_name(what, error, "an argument", trial.inputs)
            for value in values:
                must_name(what, error, "both values", [value])
        else:
            raise Violation(f"{what}: expected an error, found none")


def wrong(trial: Trial, block: nn.Module) -> Iterator[Wrong]:
    """Yields everything that can be wrong with one argument, as far as the block has a number to compare it with."""
    # A block without weights and with one input has nothing that a dtype or device could differ from.
    comparable = len(trial.inputs) > 1 or any(True for _ in block.parameters())
    other = trial.another()
    widths = other is None or (shapes(other), repr(other)) != (shapes(block), repr(block))
    for name, tensor in trial.inputs.items():
        channel = 1 if tensor.dim() == 4 else tensor.dim() - 1  # of a picture, whose sides may be any
        frames, width = tensor.shape[0], tensor.shape[channel]
        yield f"{name} without its first dimension", name, tensor[0], ()
        yield f"{name} of whole numbers", name, tensor.long(), ()
        if widths:
            for wrong_width in {1, width + 1} - {width}:  # 1 is what would broadcast in silence
                shape = [*tensor.shape[:channel], wrong_width, *tensor.shape[channel + 1 :]]
                wide = tensor.narrow(channel, 0, 1).expand(shape)
                yield f"{name} of width {wrong_width}", name, wide, (str(width), str(wrong_width))
        if comparable:
            dtype = torch.float32 if tensor.dtype == torch.float64 else torch.float64
            yield f"{name} in {dtype}", name, tensor.to(dtype), (str(dtype), str(tensor.dtype))
            yield f"{name} on the meta device", name, tensor.to("meta"), ("meta", str(tensor.device))
        if len(trial.inputs) > 1:
            for count in {1, 2 * frames} - {frames}:
                more = tensor[:1].expand(count, *tensor.shape[1:])
                yield f"{name} of {count} frames", name, more, (str(frames), str(count))


def block_names(block: nn.Module) -> set[str]:
    """Returns the names of the block, of the blocks inside it and of their bases, those of torch left out."""
    kinds = {kind for module in (block, *block.modules()) for kind in type(module).__mro__}
    return {kind.__name__ for kind in kinds if kind.__module__.split(".")[0] not in ("torch", "builtins")}


def must_name(what: str, error: Exception, role: str, words: Collection[str]) -> None:
    """Raises `Violation` where the message holds none of the words."""
    if not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", str(error)) for word in words):
        raise Violation(
            f"{what}: expected an error that names {role} ({' or '.join(sorted(words))}), found "
            f"{type(error).__name__}: {error}"
        )
