"""Laws of adapters: zero at first, of exactly the stream's shape, and maps that depend on the guide by its cue only."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...injection import Coupler
from ...site import Site
from ..law import NotApplicable, expect, expect_close, law
from ..trial import Trial, wake
from .maps import in_unit_interval, louder


@dataclass(frozen=True)
class AdapterTrial(Trial):
    """Holds a trial of an adapter; with its factory and the stream's site it can be built between other sites."""

    factory: Callable[[Site, Site], nn.Module] | None = None
    stream: Site | None = None


@law(1, "identity at initialisation", examples=5)
def silent_at_initialisation(trial: Trial) -> None:
    """As built, in evaluation and in training mode, the residual is zero, bit for bit, of loud inputs too."""
    # batch norm centres a batch only in training: both modes must give zero
    for heard, training in ((trial, False), (trial, True), (louder(trial), False)):
        for name, value in residuals(heard.run(trial.build().train(training))).items():
            expect_close(f"{name} as built, training={training},", value, torch.zeros_like(value))


def residuals(outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns what is added to a stream: `residual`, or the one output of a block that writes residuals."""
    return {name: value for name, value in outputs.items() if not name.startswith("maps")}


@law(2, "range and shape")
def residual_and_maps(trial: Trial) -> None:
    """The residual has exactly the stream's shape and dtype; every map lies in [0, 1] and broadcasts to the stream."""
    stream, block = trial.inputs["stream"], trial.woken()
    for name, value in trial.run(block).items():
        expect(value.dtype == stream.dtype, f"{name}: expected {stream.dtype}, found {value.dtype}")
        if name.startswith("maps"):
            fits = value.dim() == 3 and len(value) == len(stream)
            fits = fits and all(size in (1, full) for size, full in zip(value.shape, stream.shape, strict=True))
            expect(fits, f"{name}: expected (frame, token or 1, channel or 1), found {tuple(value.shape)}")
            in_unit_interval(name, value)
        else:
            expect(
                value.shape == stream.shape,
                f"{name}: expected the stream's shape {tuple(stream.shape)}, found {tuple(value.shape)}",
            )
    for name, value in louder(trial).run(block).items():
        if name.startswith("maps"):
            in_unit_interval(f"{name} of loud inputs", value)


@law(4, "cue sufficiency")
def cue_sufficiency(trial: Trial) -> None:
    """As built, with latent tokens at zero, a map depends on the guide only by the cue `align.pooled(guide)`."""
    trial = trial.exact()
    block = trial.build().eval()
    pooled = getattr(getattr(block, "align", None), "pooled", None)
    if pooled is None:
        raise NotApplicable("it has no align.pooled to read a cue from")
    guide = trial.inputs["guide"]
    before = trial.run(block)
    if not any(name.startswith("maps") for name in before):
        raise NotApplicable("it returns no maps")
    other = guide + unheard(pooled, guide)
    expect_close("cue of two guides that differ where it does not look", pooled(other), pooled(guide), tolerance=1e-9)
    for name, after in trial.run(block, guide=other).items():
        if name.startswith("maps"):
            expect_close(f"{name} of another guide with the same cue", after, before[name], tolerance=1e-9)


def unheard(pooled: Callable[[Tensor], Tensor], guide: Tensor) -> Tensor:
    """Builds a change of the guide that leaves a cue as it is, if the cue is affine in the tokens.

    The change of the last token cancels that of the first, in proportion to their shares of the cue.
    """
    word, change = torch.randn_like(guide[:, 0]), torch.zeros_like(guide)
    shares = []
    for token in (0, -1):
        alone = torch.zeros_like(guide)
        alone[:, token] = word
        shares.append(pooled(guide + alone) - pooled(guide))
    if guide.shape[1] > 1 and shares[1].any():
        change[:, 0] = word
        change[:, -1] = -word * (shares[0] * shares[1]).sum() / shares[1].square().sum()
    return change


@law(8, "symmetric coupler")
def swapping_sides_swaps_outputs(trial: AdapterTrial) -> None:
    """With one adapter on both edges between two like streams, swapping the streams swaps the residuals."""
    if trial.factory is None or trial.stream is None:
        raise NotApplicable("one adapter alone was given")
    try:
        adapter = trial.factory(trial.stream, trial.stream).eval()
    except ValueError as refusal:
        raise NotApplicable(f"it does not join two like sites: {refusal}") from refusal
    wake(adapter)
    coupler = Coupler({("one", "two"): adapter, ("two", "one"): adapter})
    stream = trial.inputs["stream"]
    symmetric(coupler, stream, torch.randn_like(stream))


def symmetric(coupler: nn.Module, first: Tensor, second: Tensor) -> None:
    """Raises `Violation` where a coupler of the streams `one` and `two` knows its left from its right."""
    here = coupler({"one": first, "two": second}).residuals
    there = coupler({"one": second, "two": first}).residuals
    for name, other in (("one", "two"), ("two", "one")):
        expect_close(f"residual of {name}, the streams swapped,", there[name], here[other])
