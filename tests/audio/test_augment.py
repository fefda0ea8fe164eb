import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.audio import SpecAugment, SpectrogramMixup


def runs(blank):
    """Lengths of the runs of True."""
    text = "".join("x" if value else " " for value in blank.tolist())
    return [len(run) for run in text.split()]


def test_in_evaluation_it_does_nothing():
    log_mel = torch.randn(2, 30, 8)
    assert SpecAugment().eval()(log_mel) is log_mel


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 70), st.integers(1, 10), st.integers(0, 99))
def test_it_blanks_at_most_two_short_stripes_an_axis_and_touches_nothing_else(time, mels, longest, widest, seed):
    torch.manual_seed(seed)
    log_mel = torch.rand(3, time, mels) + 1
    masked = SpecAugment(time=longest, mel=widest)(log_mel)
    for before, after in zip(log_mel, masked, strict=True):
        blank = after == 0
        times, bands = blank.all(dim=1), blank.all(dim=0)
        if not (times.all() or bands.all()):
            assert torch.equal(blank, times[:, None] | bands[None, :])
        assert torch.equal(after[~blank], before[~blank])
        # Two stripes may meet in one run.
        for axis, most in ((times, longest), (bands, widest)):
            if not axis.all():
                assert len(runs(axis)) <= 2
                assert sum(runs(axis)) <= 2 * (most - 1)


def test_it_blanks_as_much_as_torchlibrosa():
    library = pytest.importorskip("torchlibrosa.augmentation")
    theirs = library.SpecAugmentation(
        time_drop_width=64, time_stripes_num=2, freq_drop_width=8, freq_stripes_num=2
    ).train()
    torch.manual_seed(0)
    ones = torch.ones(600, 200, 64)
    torch.testing.assert_close(
        SpecAugment()(ones).mean(), theirs(ones[:, None].clone()).mean(), atol=0.02, rtol=0, check_dtype=False
    )


def test_each_frame_draws_its_own_stripes():
    torch.manual_seed(0)
    first, second = SpecAugment()(torch.ones(2, 300, 64))
    assert not torch.equal(first, second)


def test_a_negative_width_is_refused():
    with pytest.raises(ValueError, match="SpecAugment: time=-1, mel=8 and stripes=2 must not be negative"):
        SpecAugment(time=-1)


def test_compiled_it_still_draws():
    torch.manual_seed(0)
    compiled = torch.compile(SpecAugment(), fullgraph=True, backend="aot_eager")
    log_mel = torch.ones(2, 300, 64)
    assert not torch.equal(compiled(log_mel), compiled(log_mel))


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_a_mixture_lies_between_a_frame_and_that_of_the_reversed_batch_by_one_weight_a_frame(frames, time, mels, seed):
    torch.manual_seed(seed)
    log_mel = torch.randn(frames, time, mels, dtype=torch.float64)
    mixed, other = SpectrogramMixup()(log_mel), log_mel.flip(0)
    for before, partner, after in zip(log_mel, other, mixed, strict=True):
        step = partner - before
        share = ((after - before) * step).sum() / step.square().sum().clamp(min=1e-300)
        assert -1e-12 <= share <= 1 + 1e-12
        torch.testing.assert_close(after, before + share * step)
    assert SpectrogramMixup().eval()(log_mel) is log_mel


def test_weights_of_a_mixture_are_beta_distributed():
    torch.manual_seed(0)
    pairs = torch.arange(2.0).repeat(4000)[:, None, None]  # the reversed batch has the other number everywhere
    weights = (SpectrogramMixup()(pairs) - pairs).abs().flatten()
    # Beta(1/2, 1/2), the arcsine law: P(x < 1/4) = 1/3, and 1 - x is distributed as x
    shares = torch.stack([(weights < level).float().mean() for level in (0.25, 0.5, 0.75)])
    torch.testing.assert_close(shares, torch.tensor([1 / 3, 1 / 2, 2 / 3]), atol=0.02, rtol=0)
    assert SpectrogramMixup()(torch.empty(2, 3, 4, device="meta")).shape == (2, 3, 4)  # its cost is counted there
