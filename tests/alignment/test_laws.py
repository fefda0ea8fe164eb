"""Every alignment keeps every law."""

from functools import partial

from crossmodal.alignment import identity_alignment, learned_alignment, pooled_alignment, resampled_alignment
from crossmodal.testing import parametrize_laws


@parametrize_laws(
    learned_alignment,
    resampled_alignment,
    partial(resampled_alignment, mode="bilinear"),
    pooled_alignment,
    identity_alignment,
)
def test_laws(law):
    law()
