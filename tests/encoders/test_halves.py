import pytest
import torch
from torch import nn

from crossmodal.encoders.halves import PostNorm, PreNorm

STREAM = torch.arange(24.0).view(2, 3, 4).sin()


def test_pre_norm_adds_the_body_of_the_normalised_stream():
    half = PreNorm(nn.Linear(4, 4), 4)
    expected = STREAM + half.body(nn.functional.layer_norm(STREAM, (4,)))
    torch.testing.assert_close(half(STREAM), expected)


def test_post_norm_adds_the_normalised_body_and_starts_as_the_identity():
    half = PostNorm(nn.Linear(4, 4), 4)
    assert torch.equal(half(STREAM), STREAM)
    nn.init.ones_(half.norm.weight)
    torch.testing.assert_close(half(STREAM), STREAM + nn.functional.layer_norm(half.body(STREAM), (4,)))


@pytest.mark.parametrize("kind", [PreNorm, PostNorm])
def test_stochastic_depth_skips_whole_frames_and_keeps_the_mean(kind):
    torch.manual_seed(0)
    half, stream = kind(nn.Linear(4, 4), 4, drop_path=0.25), torch.randn(1, 3, 4).expand(4000, 3, 4)
    nn.init.ones_(half.norm.weight)
    steps = half(stream) - stream
    full = (half.eval()(stream) - stream)[0]
    skipped = (steps == 0).flatten(1).all(1)
    assert skipped.float().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(steps[~skipped], (full / 0.75).expand_as(steps[~skipped]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(half(stream), half(stream), atol=0, rtol=0)


@pytest.mark.parametrize("kind", [PreNorm, PostNorm])
def test_a_stream_of_another_width_is_refused(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__}: stream has width 4.* built for width 6"):
        kind(nn.Identity(), 6)(STREAM)
