import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.guidance import ClipGuidance, SegmentGuidance


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 999))
def test_a_segment_is_judged_by_its_own_cue(frames, cue_channels, seed):
    torch.manual_seed(seed)
    block = SegmentGuidance(2, cue_channels).double()
    cue = torch.randn(frames, cue_channels).double()
    found = block(torch.randn(frames, 3, 2).double(), cue)
    for frame in range(frames):
        logit = sum(w * c for w, c in zip(block.readout.weight[0], cue[frame], strict=True)) + block.readout.bias[0]
        torch.testing.assert_close(found[frame, 0, 0], 1 / (1 + (-logit).exp()))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 999))
def test_a_clip_is_read_forwards_and_backwards(clips, segments, hidden, seed):
    torch.manual_seed(seed)
    block = ClipGuidance(2, 3, segments=segments, hidden=hidden).double()
    cue = torch.randn(clips * segments, 3).double()
    found = block(torch.randn(clips * segments, 4, 2).double(), cue)
    for clip in range(clips):
        cues = cue[clip * segments : (clip + 1) * segments]
        before, after = read(block, cues, 0), read(block, cues.flip(0), 1)[::-1]
        for segment in range(segments):
            logit = block.readout(torch.cat([before[segment], after[segment]]))
            torch.testing.assert_close(found[clip * segments + segment, 0], 1 / (1 + (-logit).exp()))


def read(block, cues, direction):
    """The hidden states after each cue, in the order in which they are read."""
    state, states = torch.zeros(block.recur.shape[1]).double(), []
    for cue in cues:
        entered = block.enter(cue).chunk(2)[direction]
        state = torch.tanh(entered + sum(value * row for value, row in zip(state, block.recur[direction], strict=True)))
        states.append(state)
    return states


def test_the_whole_clip_is_read():
    torch.manual_seed(0)
    block, stream, cue = ClipGuidance(2, 3), torch.randn(20, 4, 2), torch.randn(20, 3)
    before = block(stream, cue)
    cue[4] += 1
    moved = (block(stream, cue) != before).flatten().tolist()
    assert moved == [True] * 10 + [False] * 10


def test_the_stream_is_not_read():
    torch.manual_seed(0)
    for block in (SegmentGuidance(2, 3), ClipGuidance(2, 3)):
        cue = torch.randn(10, 3)
        assert torch.equal(block(torch.randn(10, 4, 2), cue), block(torch.randn(10, 1, 2), cue))


def test_one_shorter_clip_is_a_clip():
    torch.manual_seed(0)
    ten, seven = ClipGuidance(2, 3), ClipGuidance(2, 3, segments=7)
    seven.load_state_dict(ten.state_dict())
    stream, cue = torch.randn(7, 4, 2), torch.randn(7, 3)
    assert torch.equal(ten(stream, cue), seven(stream, cue))


def test_ragged_frames_are_refused_in_words():
    words = "ClipGuidance: 17 frames are not whole clips of segments=10: pass whole clips, or one shorter clip alone"
    with pytest.raises(ValueError, match=words):
        ClipGuidance(2, 3)(torch.zeros(17, 4, 2), torch.zeros(17, 3))


def test_no_segments_are_refused():
    with pytest.raises(ValueError, match=r"^ClipGuidance: segments=0 must be at least 1\.$"):
        ClipGuidance(2, 3, segments=0)


@pytest.mark.parametrize("kind", [SegmentGuidance, ClipGuidance])
def test_widths_are_named(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__}: stream has width 5 .* built for width 2"):
        kind(2, 3)(torch.zeros(2, 4, 5), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=rf"{kind.__name__}: cue has width 4 .* built for width 3"):
        kind(2, 3)(torch.zeros(2, 4, 2), torch.zeros(2, 4))


def test_they_show_their_numbers():
    assert "channels=2" in repr(SegmentGuidance(2, 3))
    assert "channels=2, segments=7" in repr(ClipGuidance(2, 3, segments=7))
