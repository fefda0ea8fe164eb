import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.injection.hooks.tensor_layout import LAYOUTS, layout_of

sizes = st.integers(1, 4)


@st.composite
def tensors(draw):
    """A tensor in one of the layouts, and the position of its channels."""
    dimensions, channels = draw(st.sampled_from(sorted(LAYOUTS)))
    torch.manual_seed(draw(st.integers(0, 9)))
    return torch.randn([draw(sizes) for _ in range(dimensions)]), channels


def token_by_token(tensor, channels):
    """The stream by loops: tokens in row-major order, each with its channels."""
    moved = tensor if channels == tensor.ndim - 1 else torch.stack(list(tensor.unbind(1)), dim=-1)
    frames = [[cell for row in frame for cell in (row if tensor.ndim == 4 else [row])] for frame in moved]
    return torch.stack([torch.stack(frame) for frame in frames])


@given(tensors())
def test_the_stream_holds_the_tokens_row_by_row(case):
    tensor, channels = case
    here = layout_of("here", tuple(tensor.shape), channels)
    stream = here.stream(tensor)
    assert torch.equal(stream, token_by_token(tensor, channels))
    assert stream.shape == (here.frames, here.tokens, here.width)


@given(tensors())
def test_a_residual_is_added_token_by_token_and_the_tensor_left_alone(case):
    tensor, channels = case
    here, before = layout_of("here", tuple(tensor.shape), channels), tensor.clone()
    residual = torch.randn(here.frames, here.tokens, here.width)
    added = here.add(residual, tensor)
    assert added.shape == tensor.shape
    assert torch.equal(token_by_token(added, channels), token_by_token(tensor, channels) + residual)
    assert torch.equal(tensor, before)


def test_the_grid_may_have_another_size_than_in_the_probe():
    here = layout_of("here", (2, 3, 4, 5), 1)
    assert here.stream(torch.zeros(7, 3, 2, 6)).shape == (7, 12, 3)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 4, 4, 5), torch.zeros(2, 3, 5), None])
def test_a_tensor_unlike_the_probe_is_named_with_both_shapes(wrong):
    shape = None if wrong is None else tuple(wrong.shape)
    with pytest.raises(ValueError, match="Injected: the tensor at 'here' has shape") as refusal:
        layout_of("here", (2, 3, 4, 5), 1).stream(wrong)
    assert f"has shape {shape}, but the probe saw (frame channel row column) with 3 channels" in str(refusal.value)


@pytest.mark.parametrize("shape", [(1, 20, 3), (2, 1, 3), (2, 20, 1), (2, 21, 3)])
def test_law_12_a_residual_never_broadcasts(shape):
    with pytest.raises(ValueError, match=r"a residual of shape \(.*\) does not fit the tensor of shape \(2, 3, 4, 5\)"):
        layout_of("here", (2, 3, 4, 5), 1).add(torch.zeros(shape), torch.zeros(2, 3, 4, 5))
