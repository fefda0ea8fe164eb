"""Functions from a pairing to a pairing: couplers from a later stage on, one more guide."""

from collections.abc import Callable

from torch import nn

from ..site import Site, vector_axes
from .encoder import Encoder, unknown
from .step import Sites, Step

Pairing = Callable[[Sites], tuple[Step, ...]]
"""From the sites of the streams to the steps of a lockstep."""


def from_stage(pairing: Pairing, stage: int) -> Pairing:
    """Removes from `pairing` the couplers of the stages before `stage`: late injection.

    Before the first coupler nothing learns between frozen encoders: no gradient goes there and nothing is saved for
    one. Later couplers, and their names, stay as they were.

    Args:
        pairing: From sites to steps.
        stage: The first stage with couplers, counted from 0.

    Returns:
        A pairing that raises `ValueError` where no stream has that stage.
    """

    def late(sites: Sites) -> tuple[Step, ...]:
        stages = {name: {site.name: site.stage for site in of} for name, of in sites.items()}
        known = sorted({number for of in stages.values() for number in of.values()})
        if stage not in known:
            raise ValueError(f"from_stage: stage={stage} does not exist; the streams have stages {known}.")

        def early(step: Step) -> bool:
            return any(stages[name][section] < stage for name, run in step.sections.items() for section in run)

        return tuple(Step(step.sections) if early(step) else step for step in pairing(sites))

    return late


def vector_encoder(width: int) -> Encoder:
    """Returns an encoder of a stem alone: a vector a frame, as the one token of a stream that guides others.

    Shapes: `(frame, width)` → `(frame, 1, width)`.

    Args:
        width: Channels of the vector, such as the features of a text tower.
    """
    return Encoder(nn.Unflatten(1, (1, width)), {}, nn.Identity(), [Site("stem", width, vector_axes(), part="stem")])


def also_guided_by(pairing: Pairing, guide: str) -> Pairing:
    """Adds to the couplers of `pairing` one more guide, such as the vector of a sentence.

    It guides every stream that is guided, at every coupler. Nothing guides it, and it runs no section: it is read as
    its stem leaves it.

    Args:
        pairing: Of the other streams, from their sites to steps.
        guide: Name of the stream that guides.

    Returns:
        A pairing that raises `KeyError` where there is no such stream, `ValueError` where it has sections.
    """

    def guided(sites: Sites) -> tuple[Step, ...]:
        if guide not in sites:
            raise KeyError(unknown("also_guided_by: stream", guide, sites))
        if len(sites[guide]) > 1:
            raise ValueError(
                f"also_guided_by: {guide} has {len(sites[guide]) - 1} sections; a guide here has a stem alone."
            )
        steps = []
        for step in pairing({name: of for name, of in sites.items() if name != guide}):
            reached = dict.fromkeys(to for _, to in step.directed)
            steps.append(Step(step.sections, step.coupler, (*step.directed, *((guide, to) for to in reached))))
        return tuple(steps)

    return guided
