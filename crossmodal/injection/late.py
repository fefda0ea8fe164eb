"""Late injection: a pairing whose couplers start at a later stage."""

from collections.abc import Callable

from .step import Sites, Step

Pairing = Callable[[Sites], tuple[Step, ...]]
"""From the sites of the streams to the steps of a lockstep."""


def from_stage(pairing: Pairing, stage: int) -> Pairing:
    """`pairing` without the couplers of the stages before `stage` (counted from 0).

    Before the first coupler nothing learns between frozen encoders: no gradient goes there and nothing is saved for
    one. Later couplers, and their names, stay as they were. The pairing raises `ValueError` where no stream has that
    stage.
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
