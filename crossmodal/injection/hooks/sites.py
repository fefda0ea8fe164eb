"""Sites of a third-party model: its streams, and rows and columns that blotted copies of the example bear out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .probe import ProbedModule, evaluating, read_shapes, read_tensor, written_tensor
from .tensor_layout import TensorLayout
from .token_places import BANDS, Testimony, TokenPlaces, blotted


def sites(model: nn.Module, *example: Any, **named: Any) -> dict[str, ProbedModule]:
    """Finds the sites of a model: every module that runs in a forward, with the streams that flow in and out of it.

    The forward runs in evaluation mode and without gradients; training flags are put back, no hook stays. The input is
    the first tensor among the arguments, the output the tensor returned or the first item of a tuple. `ObservedShapes`
    says how layouts are inferred; where channels could be first or last, probe with a picture that is not square.

    Rows and columns are a claim that no shape proves. A second forward, of copies of one frame with parts blotted out,
    shows where tokens look. Where that contradicts the claim, or the tensor holds other frames than the example
    (windows, heads), the place of its tokens is not known: axis `token`. Where it says nothing, as of a map that looks
    everywhere or on the meta device, the shape is believed.

    Args:
        model: Any module.
        *example: Arguments of the model.
        **named: Keyword arguments of the model.

    Returns:
        Name of the module → what was found.
    """
    probed = read_shapes(model, *example, **named)
    given = read_tensor(example, named)
    if given is None or not given.ndim:
        return probed
    seen = _Seen(probed, {}, picture=given.ndim == 4 and given.shape[1] > 1)
    pictures = None if not any(_claims(each) for each in probed.values()) else blotted(given)
    if pictures is not None:
        _run_blotted(model, seen, pictures, given, example, named)
    return {name: seen.proved(name, len(given)) for name in probed}


@dataclass(frozen=True)
class _Seen:
    """What the second forward shows: verdict by module and side, `"reads"` or `"writes"`."""

    probed: Mapping[str, ProbedModule]
    verdicts: dict[tuple[str, str], Testimony]
    picture: bool

    def note(self, name: str, side: str, tensor: Tensor | None) -> None:
        """Notes whether the tokens of a tensor look where its layout claims that they lie."""
        layout: TensorLayout | None = getattr(self.probed[name], side)
        if layout is None or "row" not in layout.layout or tensor is None or tensor.shape[0] != 2 * BANDS + 1:
            return
        places = TokenPlaces.of(layout.stream(tensor), picture=self.picture)
        verdict = places.verdict(layout)
        # of two calls that say something, the one against the claim counts
        if self.verdicts.get((name, side)) != "contradicts":
            self.verdicts[name, side] = verdict

    def proved(self, name: str, frames: int) -> ProbedModule:
        """Returns a module with rows and columns only where nothing speaks against them."""
        reads, writes = (self._placed(name, side, frames) for side in ("reads", "writes"))
        return replace(self.probed[name], reads=reads, writes=writes)

    def _placed(self, name: str, side: str, frames: int) -> TensorLayout | None:
        """Returns a layout as it is, or without places where its claim does not hold."""
        layout: TensorLayout | None = getattr(self.probed[name], side)
        if layout is None or "row" not in layout.layout:
            return layout
        if layout.frames == frames and self.verdicts.get((name, side), "silent") != "contradicts":
            return layout
        return replace(layout, axes={"token": tuple(range(layout.tokens))})


def _claims(probed: ProbedModule) -> bool:
    return any(layout is not None and "row" in layout.layout for layout in (probed.reads, probed.writes))


def _run_blotted(
    model: nn.Module, seen: _Seen, pictures: Tensor, given: Tensor, example: tuple[Any, ...], named: Mapping[str, Any]
) -> None:
    """Runs the model on blotted copies of the example's first frame; a model that takes none shows nothing."""

    def copies(value: Any) -> Any:
        if value is given:
            return pictures
        many = isinstance(value, Tensor) and value.ndim and len(value) == len(given)
        return value[:1].expand(len(pictures), *value.shape[1:]) if many else value

    handles = list(_watched(model, seen))
    try:
        with evaluating(model):
            model(*map(copies, example), **{name: copies(value) for name, value in named.items()})
    except (RuntimeError, ValueError, TypeError, IndexError):
        seen.verdicts.clear()  # it takes its own number of frames: what ran up to here is no evidence
    finally:
        for handle in handles:
            handle.remove()


def _watched(model: nn.Module, seen: _Seen) -> Iterator[torch.utils.hooks.RemovableHandle]:
    for name, module in model.named_modules():
        if name in seen.probed and _claims(seen.probed[name]):

            def note(_: nn.Module, args: Any, kwargs: Any, output: Any, name: str = name) -> None:
                seen.note(name, "reads", read_tensor(args, kwargs))
                seen.note(name, "writes", written_tensor(output))

            yield module.register_forward_hook(note, with_kwargs=True)
