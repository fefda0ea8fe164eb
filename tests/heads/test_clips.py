"""The clip head, against a loop over its definition; segments in any order, clips by themselves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from crossmodal.heads import ClipHead


@st.composite
def cases(draw):
    torch.manual_seed(draw(st.integers(0, 99)))
    clips, segments, visual, audio = (draw(st.integers(1, 4)) for _ in range(4))
    head = ClipHead(visual, audio, 3).double()
    return head, *(torch.randn(clips, segments, width, dtype=torch.float64) for width in (visual, audio))


@given(cases())
def test_logits_are_those_of_the_mean_of_normalised_segments(case):
    head, visual, audio = case
    for clip, logits in enumerate(head(visual, audio)):
        pairs = zip(visual[clip], audio[clip], strict=True)
        read = [torch.cat([F.layer_norm(v, v.shape), F.layer_norm(a, a.shape)]) for v, a in pairs]
        torch.testing.assert_close(logits, head.readout.weight @ sum(read) / len(read) + head.readout.bias)


@given(cases())
def test_order_of_segments_and_other_clips_do_not_matter(case):
    head, visual, audio = case
    order = torch.randperm(visual.shape[1])
    torch.testing.assert_close(head(visual[:, order], audio[:, order]), head(visual, audio))
    torch.testing.assert_close(head(visual[:1], audio[:1]), head(visual, audio)[:1])


def test_another_width_is_named():
    head = ClipHead(4, 3, 2)
    with pytest.raises(ValueError, match=r"ClipHead: visual has width 5 .* built for width 4"):
        head(torch.zeros(1, 2, 5), torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match=r"ClipHead: audio has width 2 .* built for width 3"):
        head(torch.zeros(1, 2, 4), torch.zeros(1, 2, 2))
