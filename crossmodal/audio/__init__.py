"""Floor 1: audio front ends: log-mel spectrogram, repetition of short sounds, augmentation."""

from .augment import SpecAugment as SpecAugment
from .augment import SpectrogramMixup as SpectrogramMixup
from .log_mel import LogMel as LogMel
from .repeated import RepeatedLogMel as RepeatedLogMel
from .wave import tile as tile
