"""Floor 4: encoders cut into sections, at any size."""

from .htsat import htsat as htsat
from .htsat import htsat_tiny_audioset as htsat_tiny_audioset
from .swin_v2 import swin_v2 as swin_v2
from .swin_v2 import swin_v2_large as swin_v2_large
