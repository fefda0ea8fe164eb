"""Floor 4: pictures of maps, as matplotlib figures: over frames, spectrograms, channels, time and depth."""

from .beside import Look as Look
from .beside import beside as beside
from .clouds import Cloud as Cloud
from .clouds import clouds as clouds
from .depth import over_depth as over_depth
from .frames import over_frames as over_frames
from .frames import pictures as pictures
from .placing import placed as placed
from .placing import read_sites as read_sites
from .rows import over_channels as over_channels
from .rows import over_time as over_time
from .spectrogram import over_spectrogram as over_spectrogram
from .strips import label_strips as label_strips
