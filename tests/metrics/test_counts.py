"""Counts of batches add up."""

import pytest
import torch

from crossmodal.metrics import (
    HitCounts,
    Parsing,
    SegmentCounts,
    answer_counts,
    answer_scores,
    hit_counts,
    mask_counts,
    mask_scores,
    parsing_counts,
    parsing_scores,
    segment_counts,
    summed,
)


def counts(right, total):
    return SegmentCounts(torch.tensor(right), torch.tensor(total))


def test_every_entry_is_added():
    assert summed([counts(1, 2), counts(3, 10), counts(0, 0)]) == counts(4, 12)
    assert isinstance(summed(iter([counts(1, 2)])), SegmentCounts)


def test_nothing_to_add_is_named():
    with pytest.raises(ValueError, match="summed: there are no counts to add: pass those of one batch at least"):
        summed([])


def test_counts_of_two_metrics_are_named():
    other = HitCounts(torch.tensor(1), torch.tensor(2))
    with pytest.raises(ValueError, match="summed: HitCounts and SegmentCounts do not add up"):
        summed([counts(1, 2), other])


def every_metric(device):
    """All that the metrics say of the same drawn clips, on one device."""
    torch.manual_seed(0)
    labels = [torch.randint(9, (40,)).to(device) for _ in range(3)]
    parsing = Parsing(*(torch.rand(2, 4, 10, 5) < 0.5).to(device)), Parsing(*(torch.rand(2, 4, 10, 5) < 0.5).to(device))
    probability, shown = torch.rand(6, 8, 8).to(device), (torch.rand(6, 8, 8) < 0.4).to(device)
    levels = parsing_scores(parsing_counts(*parsing))
    return [
        *segment_counts(labels[0].view(4, 10), labels[1].view(4, 10)),
        *answer_scores(answer_counts(*labels)),
        *hit_counts(probability[0], shown[0] | (torch.arange(8, device=device) == 3)),
        *mask_scores(mask_counts(probability, shown)),
        *levels.segment_level,
        *levels.event_level,
    ]


@pytest.mark.gpu
def test_a_gpu_counts_the_same():
    for here, there in zip(every_metric("cpu"), every_metric("cuda"), strict=True):
        assert there.device.type == "cuda"
        torch.testing.assert_close(there.cpu(), here, rtol=0, atol=1e-12, equal_nan=True)
