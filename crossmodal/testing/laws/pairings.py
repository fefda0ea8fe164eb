"""Laws of pairings: functions from the sites of two streams to steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...injection.pairing_transforms import Pairing
from ...site import Site
from ..law import expect, law
from .calls import own_random_state, seed_all


@dataclass(frozen=True)
class PairingTrial:
    """Holds the sites of two streams and the pairing that turns them into steps."""

    pairing: Pairing
    sites: Mapping[str, Sequence[Site]]


@law(9, "sections once and in order", examples=30)
def steps_run_every_section_once(trial: PairingTrial) -> None:
    """The steps run every section of every stream exactly once and in order."""
    steps = trial.pairing(trial.sites)
    for name, sites in trial.sites.items():
        expected = [site.name for site in sites[1:]]
        found = [section for step in steps for section in step.sections.get(name, ())]
        expect(found == expected, f"sections of {name}: expected {expected}, found {found}")


@law(9, "coupled where sites agree", examples=30)
def coupled_where_sites_agree(trial: PairingTrial) -> None:
    """A coupled step starts and ends at equal width and tokens; couplers have own names and edges between streams."""
    steps = trial.pairing(trial.sites)
    couplers = [step.coupler for step in steps if step.coupler is not None]
    expect(len(set(couplers)) == len(couplers), f"couplers: expected names of their own, found {couplers}")
    here = {name: sites[0] for name, sites in trial.sites.items()}
    place = {name: {site.name: site for site in sites} for name, sites in trial.sites.items()}
    for step in steps:
        there = here | {name: place[name][run[-1]] for name, run in step.sections.items() if run}
        for name in {name for edge in step.directed for name in edge}:
            expect(name in here, f"coupler {step.coupler!r}: its edges join {step.directed}, the streams are {[*here]}")
        for _, name in step.directed:
            start, end = (f"{site.tokens} tokens of width {site.width}" for site in (here[name], there[name]))
            expect(start == end, f"coupler {step.coupler!r}: {name} starts at {start} and ends at {end}")
        here = there


@law(13, "same call twice", examples=10)
def pairing_twice(trial: PairingTrial) -> None:
    """Called again with the same sites a pairing returns the same steps, and leaves the sites as they are."""
    given = {name: list(sites) for name, sites in trial.sites.items()}
    with own_random_state():
        steps = []
        for seed in (1, 2):
            seed_all(seed)
            steps.append(tuple(trial.pairing(given)))
            changed = [name for name, sites in trial.sites.items() if given.get(name) != list(sites)]
            expect(not changed, f"sites of {', '.join(changed)} after a call: pair a copy of them")
    expect(steps[0] == steps[1], f"steps of the same sites: expected {steps[0]} again, found {steps[1]}")
