"""Floor 0: what a task reports, as functions on tensors and as torchmetrics `Metric`s."""

from typing import TYPE_CHECKING, Any

from .answers import QUESTION_KINDS as QUESTION_KINDS
from .answers import AnswerCounts as AnswerCounts
from .answers import AnswerScores as AnswerScores
from .answers import answer_columns as answer_columns
from .answers import answer_counts as answer_counts
from .answers import answer_metric as answer_metric
from .answers import answer_scores as answer_scores
from .answers import answer_table as answer_table
from .answers import question_kind as question_kind
from .bootstrap import Interval as Interval
from .bootstrap import crossed_interval as crossed_interval
from .bootstrap import nested_interval as nested_interval
from .counts import Read as Read
from .counts import summed as summed
from .labels import HitCounts as HitCounts
from .labels import HitScores as HitScores
from .labels import hit_accuracy as hit_accuracy
from .labels import hit_counts as hit_counts
from .labels import hit_metric as hit_metric
from .labels import hit_scores as hit_scores
from .labels import reference_hit_accuracy as reference_hit_accuracy
from .masks import MaskCounts as MaskCounts
from .masks import MaskScores as MaskScores
from .masks import mask_counts as mask_counts
from .masks import mask_metric as mask_metric
from .masks import mask_scores as mask_scores
from .masks import reference_mask_scores as reference_mask_scores
from .parsing import LevelScores as LevelScores
from .parsing import Parsing as Parsing
from .parsing import ParsingCounts as ParsingCounts
from .parsing import ParsingScores as ParsingScores
from .parsing import parsing_columns as parsing_columns
from .parsing import parsing_counts as parsing_counts
from .parsing import parsing_metric as parsing_metric
from .parsing import parsing_scores as parsing_scores
from .pointing import PointingCounts as PointingCounts
from .pointing import PointingScores as PointingScores
from .pointing import pointing_counts as pointing_counts
from .pointing import pointing_game as pointing_game
from .pointing import pointing_metric as pointing_metric
from .pointing import pointing_scores as pointing_scores
from .segments import SegmentCounts as SegmentCounts
from .segments import SegmentScores as SegmentScores
from .segments import majority_share as majority_share
from .segments import reference_segment_accuracy as reference_segment_accuracy
from .segments import segment_accuracy as segment_accuracy
from .segments import segment_counts as segment_counts
from .segments import segment_metric as segment_metric
from .segments import segment_scores as segment_scores

if TYPE_CHECKING:
    from .metric import CountMetric as CountMetric


def __getattr__(name: str) -> Any:
    """Imports torchmetrics, an extra, when `CountMetric` is first asked for."""
    if name == "CountMetric":
        from .metric import CountMetric

        return CountMetric
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
