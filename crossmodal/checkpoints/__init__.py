"""Floor 4: adapter-only files, strict import of weights that others released, and a cache of encoder features."""

from .adapters import adapter_state as adapter_state
from .adapters import load_adapters as load_adapters
from .adapters import load_converted as load_converted
from .adapters import read_header as read_header
from .adapters import save_adapters as save_adapters
from .adapters import with_dtype_of as with_dtype_of
from .clap import import_clap as import_clap
from .clap import import_clap_text as import_clap_text
from .clip import import_clip as import_clip
from .clip import import_clip_image as import_clip_image
from .clip import import_clip_text as import_clip_text
from .feature_cache import FeatureCache as FeatureCache
from .feature_cache import cache_bytes as cache_bytes
from .feature_cache import features_follow_from as features_follow_from
from .htsat import import_htsat as import_htsat
from .load_strict import Imported as Imported
from .raw_checkpoint import read_weights as read_weights
from .released_files import fetch as fetch
from .released_models import import_dg_sct_ave as import_dg_sct_ave
from .released_models import import_lavish as import_lavish
from .released_models import import_lavish_ave as import_lavish_ave
from .released_modules import from_released_adapter as from_released_adapter
from .released_modules import from_released_events as from_released_events
from .released_modules import from_released_temporal as from_released_temporal
from .swin_v2 import import_swin_v2 as import_swin_v2
