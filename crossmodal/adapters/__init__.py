"""Floor 2: adapters, `(stream, guide) -> Adapted(residual, maps)`, and the parts they are made of."""

from .adapter import Adapted as Adapted
from .adapter import AdapterFactory as AdapterFactory
from .bottleneck import Bottleneck as Bottleneck
from .bottleneck import Gate as Gate
from .bottleneck import GateThenNorm as GateThenNorm
from .bottleneck import NormThenGate as NormThenGate
from .bottleneck import Sized as Sized
from .controls import Control as Control
from .controls import FrozenMap as FrozenMap
from .controls import no_guide as no_guide
from .controls import own_stream as own_stream
from .controls import shuffled as shuffled
from .controls import true_guide as true_guide
from .grouped import TokenBatchNorm as TokenBatchNorm
from .guided import AlignmentFactory as AlignmentFactory
from .guided import GuidedAdapter as GuidedAdapter
from .guided import channel_and_spatial as channel_and_spatial
from .guided import guided_adapter as guided_adapter
from .guided import unmodulated as unmodulated
from .modulation import GuidanceFactory as GuidanceFactory
from .modulation import Modulated as Modulated
from .modulation import Modulation as Modulation
from .modulation import Modulations as Modulations
from .modulation import modulation_of as modulation_of
