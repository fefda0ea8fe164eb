"""One more modality: a pairing whose couplers have another guide, such as the vector of a sentence."""

from .late import Pairing
from .step import Sites, Step


def also_guided_by(pairing: Pairing, guide: str) -> Pairing:
    """`pairing` of the other streams, in which `guide` guides every stream that is guided, at every coupler.

    Nothing guides `guide`, and it runs no section: it is read as its stem leaves it. The pairing raises `KeyError`
    where there is no such stream, `ValueError` where it has sections.
    """

    def guided(sites: Sites) -> tuple[Step, ...]:
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
