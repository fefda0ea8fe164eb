import copy
import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.attention import CosineWindowAttention, WindowAttention
from crossmodal.attention.tiling import MASKED

KINDS = [WindowAttention, CosineWindowAttention]


@st.composite
def attentions(draw, kind):
    """A block with random weights, in float64, and a stream for it."""
    torch.manual_seed(draw(st.integers(0, 999)))
    window, heads = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    grid = (window * draw(st.integers(1, 2)), window * draw(st.integers(1, 2)))
    width = heads * draw(st.integers(1, 3))
    block = kind(width, heads, grid, window=window, shift=draw(st.integers(0, window - 1))).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    return block, torch.randn(draw(st.integers(1, 2)), grid[0] * grid[1], width, dtype=torch.float64)


def attended(block, stream, logit):
    """Every query against every key of its shifted window, pair by pair; `logit(head, query, key)` is the model's."""
    (rows, columns), (high, wide), (down, right) = block.windows.grid, block.windows.window, block.windows.shift
    query, key, value = (
        part(stream).unflatten(-1, (block.heads, -1)) for part in (block.query, block.key, block.value)
    )
    bias, out = block.position(), torch.zeros_like(value)
    shifted = [((r - down) % rows, (c - right) % columns) for r in range(rows) for c in range(columns)]
    torn = [(r < down, c < right) for r in range(rows) for c in range(columns)]
    for here, (row, column) in enumerate(shifted):
        mates = [t for t, (r, c) in enumerate(shifted) if (r // high, c // wide) == (row // high, column // wide)]
        for frame in range(len(stream)):
            for head in range(block.heads):
                logits = []
                for there in mates:
                    other_row, other_column = shifted[there]
                    cell, other_cell = row % high * wide + column % wide, other_row % high * wide + other_column % wide
                    pair = logit(head, query[frame, here, head], key[frame, there, head]) + bias[head, cell, other_cell]
                    logits.append(pair + (MASKED if torn[here] != torn[there] else 0))
                weights = torch.stack(logits).softmax(0)
                out[frame, here, head] = sum(w * value[frame, t, head] for w, t in zip(weights, mates, strict=True))
    return block.out(out.flatten(2))


@settings(max_examples=10)
@given(attentions(WindowAttention))
def test_v1_is_scaled_dot_product_attention_inside_windows(case):
    block, stream = case
    expected = attended(block, stream, lambda head, query, key: query @ key / len(query) ** 0.5)
    torch.testing.assert_close(block(stream), expected, atol=1e-10, rtol=0)


@settings(max_examples=10)
@given(attentions(CosineWindowAttention))
def test_v2_is_cosine_attention_inside_windows(case):
    block, stream = case

    def logit(head, query, key):
        return F.cosine_similarity(query, key, dim=0, eps=0) * block.log_scale[head].clamp(max=math.log(100)).exp()

    torch.testing.assert_close(block(stream), attended(block, stream, logit), atol=1e-10, rtol=0)


def test_v2_clamps_its_scale_at_100():
    block, stream = CosineWindowAttention(4, 2, (2, 2), window=2), torch.randn(3, 4, 4)
    with torch.no_grad():
        block.log_scale.fill_(math.log(100))
        at_limit = block(stream)
        block.log_scale.fill_(50.0)
        assert torch.equal(block(stream), at_limit)


def test_the_key_of_v2_has_no_bias_and_v1_learns_a_table():
    assert CosineWindowAttention(4, 2, (2, 2), window=2).key.bias is None
    assert WindowAttention(4, 2, (8, 8), window=8).position.table.shape == (15 * 15, 2)


@pytest.mark.parametrize("kind", KINDS)
class TestEvery:
    def block(self, kind, **changed):
        torch.manual_seed(0)
        return kind(6, 2, (4, 8), **{"window": 4, "shift": 2} | changed)

    def test_frames_do_not_leak(self, kind):
        block, stream = self.block(kind), torch.randn(3, 32, 6)
        other = stream.clone()
        other[1] += 1
        changed = (block(stream) != block(other)).flatten(1).any(1)
        assert changed.tolist() == [False, True, False]

    def test_built_on_meta_emptied_and_loaded_it_is_the_one_built_here(self, kind):
        here, stream = self.block(kind), torch.randn(2, 32, 6)
        with torch.device("meta"):
            there = self.block(kind)
        assert there(stream.to("meta")).is_meta
        there = there.to_empty(device="cpu")
        there.load_state_dict(here.state_dict())
        assert torch.equal(there(stream), here(stream))

    def test_deepcopy_and_pickle_change_nothing(self, kind):
        block, stream = self.block(kind), torch.randn(2, 32, 6)
        block(stream)
        file = io.BytesIO()
        torch.save(block, file)
        file.seek(0)
        for twin in (copy.deepcopy(block), torch.load(file, weights_only=False)):
            assert torch.equal(twin(stream), block(stream))

    def test_compiled_it_gives_the_same_outputs_and_gradients(self, kind):
        block, stream = self.block(kind), torch.randn(2, 32, 6)
        block(stream).square().sum().backward()
        plain = {name: parameter.grad.clone() for name, parameter in block.named_parameters()}
        block.zero_grad()
        compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
        compiled(stream).square().sum().backward()
        torch.testing.assert_close(compiled(stream), block(stream))
        for name, parameter in block.named_parameters():
            torch.testing.assert_close(parameter.grad, plain[name], msg=name)

    def test_a_head_count_that_does_not_divide_is_refused(self, kind):
        with pytest.raises(ValueError, match=rf"{kind.__name__}: heads=4 must divide width=6"):
            kind(6, 4, (4, 4), window=4)

    def test_a_stream_of_another_width_or_grid_is_refused(self, kind):
        block = self.block(kind)
        with pytest.raises(ValueError, match=rf"{kind.__name__}: stream has width 5.* built for width 6"):
            block(torch.zeros(1, 32, 5))
        with pytest.raises(ValueError, match=rf"{kind.__name__}: stream has 30 tokens.* 4 × 8 = 32"):
            block(torch.zeros(1, 30, 6))

    def test_a_window_that_does_not_tile_is_refused(self, kind):
        with pytest.raises(ValueError, match=rf"{kind.__name__}: window=3 must tile rows=4"):
            self.block(kind, window=3)

    def test_its_repr_shows_the_clipped_numbers(self, kind):
        text = repr(self.block(kind))
        assert "width=6, heads=2, grid=(4, 8), window=(4, 4), shift=(0, 2)" in text


def cosine_reference(block, stream):
    """The shifted windows of one map by roll and a loop, every weight in memory, nothing kept."""
    (rows, columns), (high, wide), shift = block.windows.grid, block.windows.window, block.windows.shift
    tokens = torch.arange(rows * columns).view(rows, columns).roll((-shift[0], -shift[1]), dims=(0, 1))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    out = torch.zeros_like(stream)
    for top in range(0, rows, high):
        for left in range(0, columns, wide):
            mates = tokens[top : top + high, left : left + wide].flatten()
            torn = (row.flatten()[mates] < shift[0]) * 2 + (column.flatten()[mates] < shift[1])
            bias = block.position() + MASKED * (torn[:, None] != torn[None, :])
            parts = (part(stream[:, mates]) for part in (block.query, block.key, block.value))
            query, key, value = (part.unflatten(-1, (block.heads, -1)).transpose(1, 2) for part in parts)
            scale = block.log_scale.clamp(max=math.log(100)).exp()[:, None]
            logits = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT * scale + bias
            out = out.index_copy(1, mates, (logits.softmax(-1) @ value).transpose(1, 2).flatten(2))
    return block.out(out)


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("shift", [0, 1])
def test_gradients_of_v2_are_those_of_a_loop_over_windows(shift, learns):
    torch.manual_seed(0)
    block = CosineWindowAttention(6, 2, (4, 8), window=4, shift=shift).double().requires_grad_(learns)
    stream = torch.randn(2, 32, 6, dtype=torch.float64, requires_grad=True)
    given = {"stream": stream} | {name: weight for name, weight in block.named_parameters() if learns}
    received = torch.randn_like(stream)
    ours, theirs = (
        torch.autograd.grad(out, tuple(given.values()), received)
        for out in (block(stream), cosine_reference(block, stream))
    )
    for name, our, their in zip(given, ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-12, rtol=1e-12, msg=name)


class TestFrozen:
    """What a frozen block keeps, from one forward to the next and for the backward."""

    def block(self, kind, **changed):
        torch.manual_seed(0)
        return kind(8, 2, (16, 16), **{"window": 8, "shift": 4} | changed).requires_grad_(False)

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_bias_is_kept_and_out_of_autograd(self, kind):
        block = self.block(kind)
        assert block.bias() is block.bias()
        assert not block.bias().requires_grad
        assert block.requires_grad_().bias().requires_grad

    @pytest.mark.parametrize("kind", KINDS)
    def test_loaded_weights_change_what_comes_out(self, kind):
        block, other, stream = self.block(kind), self.block(kind), torch.randn(2, 256, 8)
        for parameter in other.position.parameters():
            torch.nn.init.normal_(parameter)
        assert not torch.equal(block(stream), other(stream))
        block.load_state_dict(other.state_dict())
        assert torch.equal(block(stream), other(stream))
        assert block.state_dict().keys() == dict(block.named_parameters()).keys()

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("shift", [0, 4])
    def test_no_scores_are_kept_for_the_backward(self, kind, shift):
        """Query, key, value and what they gather: four streams and a few numbers a vector; none per pair of tokens."""
        block, stream = self.block(kind, shift=shift), torch.randn(3, 256, 8, requires_grad=True)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
        ):
            block(stream).sum().backward()
        own = {block.bias(), *block.parameters()}
        own = {tensor.untyped_storage().data_ptr() for tensor in own}
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
        bytes_kept = sum(size for at, size in storages.items() if at not in own)
        numbers = 3 * 256 * 2  # frames, tokens, heads
        places = 2 * 256 * 8  # where tokens go and come from, shared by all frames
        assert bytes_kept <= 4 * stream.untyped_storage().nbytes() + 3 * numbers * 4 + places + 64
