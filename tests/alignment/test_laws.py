"""Every alignment keeps every law."""

from dataclasses import replace
from functools import partial

from crossmodal.alignment import (
    identity_alignment,
    learned_alignment,
    low_rank_pooled_alignment,
    pooled_alignment,
    resampled_alignment,
)
from crossmodal.testing import ALIGNMENT, laws, parametrize_laws


@parametrize_laws(learned_alignment, resampled_alignment, pooled_alignment, identity_alignment)
def test_laws(law):
    law()


@parametrize_laws(
    partial(low_rank_pooled_alignment, rank=2),
    partial(resampled_alignment, mode="bilinear"),
    suite=replace(ALIGNMENT, laws=[laws.aligned_to_the_stream, laws.frames_do_not_leak, laws.fast_equals_direct]),
)
def test_laws_of_other_projections_and_interpolations(law):
    law()
