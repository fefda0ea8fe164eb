"""Encoders by name: ours, and any model of timm, torchvision and transformers, cut into sections as it is."""

from .backbone import AudioBackbone as AudioBackbone
from .backbone import VisualBackbone as VisualBackbone
from .motion import MotionFeatures as MotionFeatures
from .motion import motion_features as motion_features
from .named import audio_backbone as audio_backbone
from .named import visual_backbone as visual_backbone
from .text_pairs import ImageText as ImageText
from .text_pairs import SoundText as SoundText
from .text_pairs import image_text as image_text
from .text_pairs import sound_text as sound_text
