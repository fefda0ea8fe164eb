"""Floor 5: the laws, as functions that anyone can run on a block of their own."""

from . import laws as laws
from .adapter import ADAPTER as ADAPTER
from .adapter import ALIGNMENT as ALIGNMENT
from .adapter import BOTTLENECK as BOTTLENECK
from .adapter import MODULATION as MODULATION
from .adapter import check_adapter as check_adapter
from .adapter import check_alignment as check_alignment
from .adapter import check_bottleneck as check_bottleneck
from .adapter import check_modulation as check_modulation
from .attention import check_attention as check_attention
from .encoder import check_encoder as check_encoder
from .encoder import check_lockstep as check_lockstep
from .guidance import GUIDANCE as GUIDANCE
from .guidance import check_guidance as check_guidance
from .law import Law as Law
from .law import NotApplicable as NotApplicable
from .law import Violation as Violation
from .pairing import check_pairing as check_pairing
from .parametrize import parametrize_laws as parametrize_laws
from .picking import picks as picks
from .report import LawBroken as LawBroken
from .report import Outcome as Outcome
from .report import Report as Report
from .suite import Suite as Suite
from .trial import Trial as Trial
