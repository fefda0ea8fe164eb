import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.guidance import FrequencyGuidance
from crossmodal.site import Site, folded_axes

FOLDS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 999))


def heard(bands, columns, chunks, seed, channels=4, cue_channels=3):
    """A block built from a folded site, in float64, with a stream and a cue."""
    torch.manual_seed(seed)
    site = Site("audio", channels, folded_axes(bands * chunks, columns, chunks=chunks))
    block = FrequencyGuidance(channels, cue_channels, bands=site.axes["frequency"]).double()
    return site, block, torch.randn(2, site.tokens, channels).double(), torch.randn(2, cue_channels).double()


@given(FOLDS)
def test_the_map_is_the_formula(numbers):
    """Band by band, over the tokens that the site puts there."""
    site, block, stream, cue = heard(*numbers)
    found = block(stream, cue)
    for frame in range(2):
        for band in set(site.axes["frequency"]):
            tokens = [at for at, of in enumerate(site.axes["frequency"]) if of == band]
            mean = sum(stream[frame, at] for at in tokens) / len(tokens)
            match = block.stream_proj(mean).clamp(min=0) * block.cue_proj(cue[frame]).clamp(min=0)
            value = 1 / (1 + (-block.readout(match)).exp())
            for at in tokens:
                torch.testing.assert_close(found[frame, at], value)


@given(FOLDS)
def test_a_tone_that_moves_up_one_band_moves_the_map_by_one_band(numbers):
    """On a folded grid, where the rows of a band lie `rows / chunks` apart."""
    _, block, _, cue = heard(*numbers)
    bands, columns, chunks, _ = numbers
    silence, tone = torch.randn(2, 4).double()

    def map_of_tone(band):
        grid = silence.expand(2, chunks * bands, columns, 4).clone()
        for chunk in range(chunks):
            grid[:, chunk * bands + band] = tone
        return block(grid.flatten(1, 2), cue).unflatten(1, (chunks, bands, -1))

    maps = [map_of_tone(band) for band in range(bands)]
    for low in range(bands - 1):
        moved = maps[low].clone()
        moved[:, :, [low, low + 1]] = maps[low][:, :, [low + 1, low]]
        torch.testing.assert_close(maps[low + 1], moved)


@pytest.mark.parametrize("bands", [(), (1, 2), (0, 2), (-1, 0)])
def test_bands_that_leave_one_out_are_refused(bands):
    with pytest.raises(ValueError, match=r"FrequencyGuidance: bands must number every band from 0 on, got \["):
        FrequencyGuidance(4, 3, bands=bands)


def test_a_reduction_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"^FrequencyGuidance: reduction=2 must divide channels=5\.$"):
        FrequencyGuidance(5, 3, bands=(0,))


def test_a_stream_of_another_grid_is_refused():
    with pytest.raises(ValueError, match="FrequencyGuidance: stream has 5 tokens, but bands were given for 4: build"):
        FrequencyGuidance(4, 3, bands=(0, 0, 1, 1))(torch.zeros(2, 5, 4), torch.zeros(2, 3))


def test_widths_are_named():
    block = FrequencyGuidance(4, 3, bands=(0, 1))
    with pytest.raises(ValueError, match=r"FrequencyGuidance: stream has width 6 .* built for width 4"):
        block(torch.zeros(2, 2, 6), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"FrequencyGuidance: cue has width 2 .* built for width 3"):
        block(torch.zeros(2, 2, 4), torch.zeros(2, 2))


def test_it_shows_bands_and_tokens():
    assert "bands=3, tokens=6" in repr(FrequencyGuidance(4, 3, bands=(0, 1, 2, 0, 1, 2)))
