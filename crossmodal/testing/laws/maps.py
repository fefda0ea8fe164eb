"""Laws of guidance: the range and the shape of a map, and what it depends on."""

from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..law import NotApplicable, Violation, expect, expect_close, law
from ..trial import Trial

AnyTrial = TypeVar("AnyTrial", bound=Trial)


@dataclass(frozen=True)
class GuidanceTrial(Trial):
    """Holds a trial of a guidance block; `band_of_token` where it was built for bands."""

    band_of_token: tuple[int, ...] | None = None

    def map(self, block: nn.Module, **changed: Tensor) -> Tensor:
        """Returns the one tensor that a guidance block returns."""
        found = self.run(block, **changed)
        expect(list(found) == ["output"], f"a guidance returns one map, this one returned {sorted(found)}")
        return found["output"]

    def kind(self, found: Tensor) -> str | None:
        """Returns the kind of guidance whose map has this shape; `None` where there is none."""
        frames, tokens, channels = self.inputs["stream"].shape
        spatial = "spatial" if self.band_of_token is None else "frequency"
        kinds = {(1, channels): "channel", (tokens, 1): spatial, (1, 1): "temporal"}
        return kinds.get((found.shape[1], found.shape[2])) if found.dim() == 3 and len(found) == frames else None


@law(2, "range and shape")
def range_and_shape(trial: GuidanceTrial) -> None:
    """A map lies in [0, 1] and is `frame 1 channel`, `frame token 1` or `frame 1 1`, of the stream's dtype."""
    block = trial.woken()
    for played in (trial, louder(trial)):
        found, stream = played.map(block), played.inputs["stream"]
        expect(
            played.kind(found) is not None,
            f"map: expected (frame, 1, channel), (frame, token, 1) or (frame, 1, 1) of a stream {tuple(stream.shape)}, "
            f"found {tuple(found.shape)}",
        )
        expect(found.dtype == stream.dtype, f"map: expected {stream.dtype}, found {found.dtype}")
        in_unit_interval("map", found)
    if trial.band_of_token is None:
        in_unit_interval("map of one token", trial.map(block, stream=trial.inputs["stream"][:, :1]))


def louder(trial: AnyTrial) -> AnyTrial:
    """Returns the trial with inputs of 32 scales, from 1 to 1000, one after another.

    A block that forgot its sigmoid may stay in [0, 1] on small inputs; one that is wrong between two thresholds may do
    so on small and large ones.
    """
    scales = torch.logspace(0, 3, 32)
    inputs = {name: torch.cat([scale * tensor for scale in scales]) for name, tensor in trial.inputs.items()}
    return replace(trial, inputs=inputs)


def in_unit_interval(what: str, found: Tensor) -> None:
    """Raises `Violation` where an entry lies outside [0, 1] or is not a number."""
    outside = ~((found >= 0) & (found <= 1))
    if outside.any():
        raise Violation(f"{what}: expected values in [0, 1], found {found[outside][0].item():.6g}")


@law(4, "token permutation")
def token_permutation(trial: GuidanceTrial) -> None:
    """The spatial map permutes with the tokens of the stream, no other map does; frequency: within each band."""
    trial = trial.exact()
    block = trial.woken()
    permuted(trial, block)
    # without bands any number of tokens will do: few and many, odd and square
    for count in () if trial.band_of_token else TOKENS:
        stream = more_tokens(trial.inputs["stream"], count)
        permuted(replace(trial, inputs={**trial.inputs, "stream": stream}), block)


TOKENS = (5, 49, 225)
"""Numbers of tokens that are permuted, beside those that are drawn."""


def more_tokens(stream: Tensor, count: int) -> Tensor:
    """Returns a stream of another number of tokens: those it has, again and again, each with noise."""
    again = stream[:, torch.arange(count) % stream.shape[1]]
    return again + 0.5 * torch.randn_like(again)


def permuted(trial: GuidanceTrial, block: nn.Module) -> None:
    """Raises `Violation` where the map of permuted tokens is neither the permuted map nor the same."""
    stream = trial.inputs["stream"]
    order = permutation_within(trial.band_of_token or (0,) * stream.shape[1])
    before, after = trial.map(block), trial.map(block, stream=stream[:, order])
    if trial.kind(before) is None:
        raise NotApplicable(f"its map, {tuple(before.shape)}, is of no kind")
    expected = before[:, order] if trial.kind(before) == "spatial" else before
    shown = order.tolist() if len(order) < 80 else f"{order[:8].tolist()} and so on, {len(order)} in all"
    expect_close(f"map of the tokens in order {shown}", after, expected, tolerance=1e-9)


def permutation_within(groups: tuple[int, ...]) -> Tensor:
    """Draws an order in which every position holds a member of the group that it held."""
    group, order = torch.tensor(groups), torch.arange(len(groups))
    for which in set(groups):
        members = order[group == which]
        order[group == which] = members[torch.randperm(len(members))]
    return order


@law(6, "constancy")
def constancy(trial: GuidanceTrial) -> None:
    """Maps are constant: spatial over channels, channel over tokens, temporal over both, frequency within a band."""
    found = trial.map(trial.woken())
    kind = trial.kind(found)
    expect(kind is not None, f"map: its shape {tuple(found.shape)} is constant over neither tokens nor channels")
    for band in set(trial.band_of_token or ()) if kind == "frequency" else ():
        tokens = found[:, torch.tensor(trial.band_of_token) == band]
        expect_close(f"map of the tokens of band {band}", tokens, tokens[:, :1].expand_as(tokens), tolerance=1e-6)


@law(6, "band equivariance")
def band_equivariance(trial: GuidanceTrial) -> None:
    """A tone that moves up one band moves the frequency map by one band."""
    if trial.band_of_token is None:
        raise NotApplicable("the factory takes no bands")
    trial = trial.exact()
    block, band = trial.woken(), torch.tensor(trial.band_of_token)
    silence = torch.randn_like(trial.inputs["stream"][:, :1]).expand_as(trial.inputs["stream"])
    tone = torch.randn_like(silence[:, :1])
    for low in range(int(band.max())):
        heard, moved = (
            trial.map(block, stream=torch.where((band == at)[:, None], tone, silence)) for at in (low, low + 1)
        )
        for found, expected, what in (
            (moved[:, band == low + 1][:, 0], heard[:, band == low][:, 0], f"map of band {low + 1} with a tone there"),
            (moved[:, band == low][:, 0], heard[:, band == low + 1][:, 0], f"map of band {low} with a tone above"),
        ):
            expect_close(what, found, expected, tolerance=1e-9)
