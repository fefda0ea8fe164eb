"""DG-SCT between any two encoders: nothing is learned for one grid, blocks meet at the same relative depth."""

from functools import partial

from crossmodal.alignment import resampled_alignment
from crossmodal.injection import paired_by_depth
from crossmodal.recipes.dg_sct import dg_sct

any_pair = partial(dg_sct, align=resampled_alignment, pairing=paired_by_depth)
"""Couples two encoders, `(visual, audio) -> Lockstep`; the keywords are those of `dg_sct`."""
