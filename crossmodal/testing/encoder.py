"""Checks whole models against the laws: an encoder, or encoders in lockstep, with an example input."""

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
    """Checks all laws of encoders on a copy of an encoder.

    Args:
        encoder: The encoder.
        example: An input of at least two frames, of the encoder's dtype.
        original: The model it was cut from, if there is one to compare with.

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return ENCODER.check(Whole(encoder, {argument_of(encoder.stem): example}, original))


def check_lockstep(model: Lockstep, inputs: Mapping[str, Tensor]) -> Report:
    """Checks all laws of coupled models on a copy of a lockstep.

    Args:
        model: The lockstep, freshly built.
        inputs: Inputs of its forward: at least two frames (two clips where guidance is clip-wise).

    Returns:
        The report, law by law.

    Raises:
        LawBroken: If a law is broken; the message is the report.
        ImportError: If hypothesis is not installed.
    """
    return LOCKSTEP.check(Whole(model, inputs))


@dataclass(frozen=True)
class Whole:
    """Holds a model that exists, and an input for it."""

    model: nn.Module
    inputs: Mapping[str, Tensor]
    original: nn.Module | None = None

    @property
    def __name__(self) -> str:
        return type(self.model).__name__


@dataclass(frozen=True)
class Once:
    """Stands for the sizes of a model that exists: there is nothing to draw."""

    seed: int = 0

    def __str__(self) -> str:
        return "the example"


def once(_: object) -> Any:
    """Builds a strategy that always draws `Once()`."""
    return needed("hypothesis.strategies").just(Once())


def argument_of(stem: nn.Module) -> str:
    """Returns the name of the input of a stem."""
    return next(iter(inspect.signature(stem.forward).parameters))


def encoder_trial(whole: Whole, sizes: Once) -> EncoderTrial:
    """Builds a trial of a copy of the encoder, with the example."""
    # laws move weights: the model itself stays as it is
    return EncoderTrial(partial(copy.deepcopy, whole.model), whole.inputs, original=whole.original)


def lockstep_trial(whole: Whole, sizes: Once) -> Trial:
    """Builds a trial of a copy of the model, with its inputs as one mapping."""
    return Trial(partial(copy.deepcopy, whole.model), whole.inputs, lambda block, inputs: block(dict(inputs)))


RUN = (laws.checkpointed_agrees, laws.compiled_agrees)
KEPT = (laws.state_dict_round_trip, laws.copies, laws.built_on_meta)

ENCODER: Suite[Whole, Once, EncoderTrial] = Suite(
    kind="encoder",
    smallest=lambda _: Once(),
    sizes=once,
    trial=encoder_trial,
    laws=(
        laws.frames_do_not_leak,
        laws.each_frame_of_an_encoder_alone,
        laws.frozen_means_frozen,
        laws.sections_run_once_and_in_order,
        laws.equals_its_sections,
        laws.equals_the_original,
        laws.sites_tell_the_truth,
        *RUN,
        laws.bad_input_is_named,
        *KEPT,
        laws.replaced_layers_are_heard,
        laws.one_home,
        laws.sections_leave_their_stream,
        laws.same_call_of_an_encoder_twice,
        laws.zero_frame_of_an_encoder,
        laws.memory_layout,
        laws.results_stay,
        laws.settings_of_torch,
        laws.another_device,
    ),
)
"""Laws of every encoder."""

LOCKSTEP: Suite[Whole, Once, Trial] = Suite(
    kind="lockstep",
    smallest=lambda _: Once(),
    sizes=once,
    trial=lockstep_trial,
    laws=(
        laws.equals_its_encoders,
        laws.every_map_is_heard_in_the_streams,
        laws.frames_do_not_leak,
        laws.every_coupler_learns,
        laws.frozen_encoders_stay,
        laws.every_section_runs_once_a_stream,
        *RUN,
        laws.bad_streams_are_named,
        *KEPT,
    ),
)
"""Laws of every coupled model."""
