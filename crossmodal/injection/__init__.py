"""Floor 3: where residuals may be added to encoders, and the loop that adds them."""

from ..site import Site as Site
from .checkpointed import CheckpointedLockstep as CheckpointedLockstep
from .checkpointed import checkpointed as checkpointed
from .coupler import Coupler as Coupler
from .coupler import couplers_for as couplers_for
from .encoder import Encoder as Encoder
from .frozen import fingerprint as fingerprint
from .frozen import freeze as freeze
from .frozen import freeze_parameters as freeze_parameters
from .frozen import unfreeze as unfreeze
from .injected import Injected as Injected
from .late import from_stage as from_stage
from .layout import Port as Port
from .lockstep import Coupled as Coupled
from .lockstep import Lockstep as Lockstep
from .meeting import Meeting as Meeting
from .meeting import Met as Met
from .meeting import coupled as coupled
from .pairing import paired_as_paper as paired_as_paper
from .pairing import paired_as_released as paired_as_released
from .probe import Point as Point
from .probe import sites as sites
from .sections import sections_of as sections_of
from .step import Edge as Edge
from .step import Step as Step
from .tokens import as_tokens as as_tokens
