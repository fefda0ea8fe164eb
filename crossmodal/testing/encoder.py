"""The laws of what is given whole: an encoder, or encoders in lockstep, with an example input."""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..injection import Encoder, Lockstep
from . import laws
from .laws.encoders import EncoderTrial
from .report import Report
from .suite import Suite, needed
from .trial import Trial


def check_encoder(encoder: Encoder, example: Tensor, *, original: nn.Module | None = None) -> Report:
    """Asks all laws of encoders of `encoder`, which is copied and never touched.

    - `example`: an input of at least two frames, of the encoder's dtype.
    - `original`: the model it was cut from, if there is one to compare with.

    Raises `LawBroken` with the report where a law is broken, `ImportError` without hypothesis.
    """
    return ENCODER.check(Whole(encoder, {argument_of(encoder.stem): example}, original))


def check_lockstep(model: Lockstep, inputs: Mapping[str, Tensor]) -> Report:
    """Asks all laws of coupled models of a freshly built `model`, which is copied and never touched.

    - `inputs`: what its forward takes, at least two frames (two clips where guidance is clip-wise).

    Raises as `check_encoder` does.
    """
    return LOCKSTEP.check(Whole(model, inputs))


@dataclass(frozen=True)
class Whole:
    """A model that exists, and an input for it."""

    model: nn.Module
    inputs: Mapping[str, Tensor]
    original: nn.Module | None = None

    @property
    def __name__(self) -> str:
        return type(self.model).__name__


@dataclass(frozen=True)
class Once:
    """The sizes of what has no sizes to draw."""

    seed: int = 0

    def __str__(self) -> str:
        return "the example"


def once(_: object) -> Any:
    """A strategy that draws one thing."""
    return needed("hypothesis.strategies").just(Once())


def argument_of(stem: nn.Module) -> str:
    """What the stem calls its input."""
    return next(iter(inspect.signature(stem.forward).parameters))


def encoder_trial(whole: Whole, sizes: Once) -> EncoderTrial:
    """The encoder and the example."""
    return EncoderTrial(partial(copy.deepcopy, whole.model), whole.inputs, original=whole.original)


def lockstep_trial(whole: Whole, sizes: Once) -> Trial:
    """The model and its inputs, given as one mapping."""
    return Trial(partial(copy.deepcopy, whole.model), whole.inputs, lambda block, inputs: block(dict(inputs)))


RUN = (laws.checkpointed, laws.compiled)
KEPT = (laws.state_dict_round_trip, laws.copies, laws.built_on_meta)

ENCODER: Suite[Whole, Once, EncoderTrial] = Suite(
    kind="encoder",
    smallest=lambda _: Once(),
    sizes=once,
    trial=encoder_trial,
    laws=(
        laws.frames_do_not_leak,
        laws.frozen_means_frozen,
        laws.sections_run_once_and_in_order,
        laws.equals_its_sections,
        laws.equals_the_original,
        laws.sites_tell_the_truth,
        *RUN,
        laws.bad_input_is_named,
        *KEPT,
        laws.replaced_layers_are_heard,
    ),
)
"""What every encoder is asked."""

LOCKSTEP: Suite[Whole, Once, Trial] = Suite(
    kind="lockstep",
    smallest=lambda _: Once(),
    sizes=once,
    trial=lockstep_trial,
    laws=(
        laws.equals_its_encoders,
        laws.frames_do_not_leak,
        laws.every_coupler_learns,
        laws.frozen_encoders_stay,
        laws.every_section_runs_once_a_stream,
        *RUN,
        laws.bad_streams_are_named,
        *KEPT,
    ),
)
"""What every coupled model is asked."""
