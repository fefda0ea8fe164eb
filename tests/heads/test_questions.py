"""Attention of a question over segments, and the mean in its place."""

import torch

from crossmodal.heads.questions import QuestionAttention, QuestionMean


def test_weights_are_shares_of_the_segments_and_the_mean_does_not_hear_the_question():
    torch.manual_seed(0)
    asked, other, sequence = torch.randn(3, 8), torch.randn(3, 8), torch.randn(3, 5, 8)
    for kind, hears in ((QuestionAttention, True), (QuestionMean, False)):
        block = kind(8).eval()
        found, weights = block(asked, sequence)
        torch.testing.assert_close(weights.sum(1), torch.ones(3))
        assert found.shape == (3, 8)
        assert torch.equal(block(other, sequence)[1], weights) != hears
    torch.testing.assert_close(QuestionMean(8)(asked, sequence)[0], sequence.mean(1))
