"""Floor 0: what a task reports, as functions on tensors."""

from .segments import SegmentCounts as SegmentCounts
from .segments import majority_share as majority_share
from .segments import reference_segment_accuracy as reference_segment_accuracy
from .segments import segment_accuracy as segment_accuracy
from .segments import segment_counts as segment_counts
