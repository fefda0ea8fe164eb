"""Floor 1: from a waveform to the log-mel spectrogram that HTS-AT was trained on."""

from .augment import SpecAugment as SpecAugment
from .log_mel import LogMel as LogMel
from .wave import tile as tile
