"""Every section runs once and in order, for any schedule that hypothesis can draw: not only those of our pairings."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyAdapter, toy_encoder

from crossmodal.injection import Lockstep, Step, couplers_for, paired_as_paper, paired_as_released
from crossmodal.testing import Trial, check_pairing, laws


@st.composite
def models(draw):
    """Three toy encoders cut into steps at random; where no step of a stream merges, a coupler may sit."""
    torch.manual_seed(draw(st.integers(0, 999)))
    depths = st.sampled_from([(1,), (2,), (1, 1), (1, 2)])
    encoders = {name: toy_encoder(draw(depths), halves=draw(st.booleans())) for name in ("one", "two", "three")}
    left = {name: list(encoder.names) for name, encoder in encoders.items()}
    turns = draw(st.permutations([name for name, rest in left.items() for _ in rest]))
    length, steps = draw(st.integers(1, 4)), []
    for first in range(0, len(turns), length):
        run = {
            name: tuple(left[name].pop(0) for _ in range(turns[first : first + length].count(name))) for name in left
        }
        merging = any(section.endswith("merge") for sections in run.values() for section in sections)
        coupled = not merging and draw(st.booleans())
        steps.append(Step(run, coupler=f"step{len(steps)}" if coupled else None))
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    return Lockstep(encoders, steps=steps, couplers=couplers_for(tuple(steps), sites, ToyAdapter))


@given(models())
def test_any_schedule(model):
    inputs = {name: torch.randn(2, 8, 3) for name in ("one", "two", "three")}
    trial = Trial(lambda: model, inputs, lambda block, given: block(dict(given)))
    laws.equals_its_encoders(trial)
    laws.every_section_runs_once_a_stream(trial)


def test_our_pairings():
    for pairing in (paired_as_released, paired_as_paper):
        assert not check_pairing(pairing).broken
