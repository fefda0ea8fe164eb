"""Features of any layout as a stream, and back."""

import re

import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.injection import as_tokens
from crossmodal.site import folded_axes

sizes = st.integers(1, 4)
PATTERNS = {
    "BCHW": "b c h w -> b (h w) c",
    "BHWC": "b h w c -> b (h w) c",
    "BNC": "b n c -> b n c",
    "BCN": "b c n -> b n c",
}


@given(st.sampled_from(sorted(PATTERNS)), st.lists(sizes, min_size=4, max_size=4), st.integers(0, 9))
def test_there_and_back(layout, shape, seed):
    features = torch.randn(shape[: len(layout)], generator=torch.Generator().manual_seed(seed))
    stream, port = as_tokens(features, layout)
    assert torch.equal(stream, rearrange(features, PATTERNS[layout]))
    assert (port.tokens, port.width) == tuple(stream.shape[1:])
    assert torch.equal(port.features(stream), features)
    assert torch.equal(port.features(stream[:1] + 1), features[:1] + 1)


@given(sizes, sizes, st.integers(0, 3))
def test_prefix_tokens_stay_and_have_no_place(rows, columns, prefix):
    features = torch.randn(2, prefix + rows * columns, 3)
    stream, port = as_tokens(features, "BNC", grid=(rows, columns), prefix=prefix)
    assert torch.equal(stream, features)
    assert (port.prefix, port.tokens) == (prefix, prefix + rows * columns)
    assert port.axes["row"] == tuple(cell // columns for cell in range(rows * columns))
    assert torch.equal(port.features(stream), features)


def test_axes_may_mean_bands_and_times_and_rows_stay_rows():
    features = torch.randn(2, 3, 4, 6)
    stream, port = as_tokens(features, "BCHW", axes=lambda rows, columns: folded_axes(rows, columns, chunks=2))
    assert port.extent == {"frequency": 2, "time": 12}
    assert torch.equal(port.features(stream), features)


@pytest.mark.parametrize(
    ("shape", "layout", "options", "message"),
    [
        (
            (2, 3, 4),
            "BCHW",
            {},
            "features has shape (2, 3, 4), layout='BCHW'; layouts are 'BNC', 'BCN', 'BHWC'",
        ),
        ((2, 3, 4), "NBC", {}, "layout='NBC'"),
        ((2, 3, 4, 4), "BHWC", {"prefix": 1}, "layout='BHWC' has rows and columns of its own"),
        ((2, 5, 4), "BNC", {"grid": (2, 3)}, "has 5 tokens, but prefix=0 and grid=(2, 3) make 6"),
        ((2, 5, 4), "BNC", {"prefix": 5}, "has 5 tokens, but prefix=5"),
    ],
)
def test_what_does_not_fit_is_named_with_both_numbers(shape, layout, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        as_tokens(torch.zeros(shape), layout, **options)


@pytest.mark.parametrize("wrong", [(2, 12, 4), (2, 11, 3), (2, 3, 4, 3)])
def test_law_12_another_stream_is_not_squeezed_in(wrong):
    _, port = as_tokens(torch.zeros(2, 3, 3, 4), "BCHW", name="map")
    with pytest.raises(
        ValueError, match=re.escape(f"TensorLayout 'map': stream has shape {wrong}, expected (frame, 12, 3)")
    ):
        port.features(torch.zeros(wrong))
