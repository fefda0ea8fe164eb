"""Floor 4: heads on streams or features: pooling, attention over time and modalities, one head for each task."""

from .additive import AdditiveAttention as AdditiveAttention
from .additive import CosineAttention as CosineAttention
from .additive import MeanAttention as MeanAttention
from .clips import ClipHead as ClipHead
from .cross_encoding import CrossEncoding as CrossEncoding
from .cross_encoding import ProductInteraction as ProductInteraction
from .events import EventHead as EventHead
from .events import Events as Events
from .events import decode_events as decode_events
from .events import event_loss as event_loss
from .events import event_losses as event_losses
from .fusion import LSTMPair as LSTMPair
from .fusion import ResidualFusion as ResidualFusion
from .guided_pooling import GuidedPooling as GuidedPooling
from .guided_pooling import SelfGuidedPooling as SelfGuidedPooling
from .pooling import MapPooling as MapPooling
from .pooling import MeanPooling as MeanPooling
from .pooling import PoolFactory as PoolFactory
from .pooling import pool_tokens as pool_tokens
from .pooling import pooling_weights as pooling_weights
from .self_attention import DualMatching as DualMatching
from .self_attention import SegmentSelfAttention as SegmentSelfAttention
from .sentinel import SentinelAttention as SentinelAttention
from .suppression import GatedByOther as GatedByOther
from .suppression import GatedByOwn as GatedByOwn
from .temporal import TemporalAttention as TemporalAttention
