"""Floor 4: matplotlib figures of maps over frames, spectrograms, channels, time and couplers, and of features."""

from .channel_and_time import over_channels as over_channels
from .channel_and_time import over_time as over_time
from .coupler_heatmap import coupler_heatmap as coupler_heatmap
from .frames import over_frames as over_frames
from .frames import pictures as pictures
from .panels import PanelRow as PanelRow
from .panels import panel_figure as panel_figure
from .scatter import ScatterPanel as ScatterPanel
from .scatter import scatter_figure as scatter_figure
from .spectrogram import over_spectrogram as over_spectrogram
from .strips import label_strips as label_strips
from .unfold_map import read_sites as read_sites
from .unfold_map import unfold_map as unfold_map
