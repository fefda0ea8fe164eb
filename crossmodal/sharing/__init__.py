"""Floor 8: trained systems that leave the house: loaded in one call, saved as a folder, pushed to a hub, exported."""

from .exporting import export as export
from .loading import load as load
from .saved_folder import save as save
from .system_options import SystemOptions as SystemOptions
from .system_options import build_system as build_system
