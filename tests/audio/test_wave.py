import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.audio import tile


@given(st.integers(1, 12), st.integers(1, 50))
def test_it_doubles_until_long_enough_and_cuts(length, samples):
    wave = torch.arange(2.0 * length).view(2, length)
    doubled = wave
    while doubled.shape[-1] < samples:
        doubled = torch.cat([doubled, doubled], dim=-1)
    assert torch.equal(tile(wave, samples), doubled[:, :samples])
    assert torch.equal(tile(wave[0], samples), doubled[0, :samples])


def test_an_empty_wave_is_refused():
    with pytest.raises(ValueError, match="tile: wave has 0 samples, samples=8 are wanted"):
        tile(torch.zeros(2, 0), 8)
    with pytest.raises(ValueError, match="tile: wave has 4 samples, samples=0 are wanted"):
        tile(torch.zeros(2, 4), 0)
