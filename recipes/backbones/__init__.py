"""Encoders by name: ours, and any that timm, torchvision and transformers have, cut as they are."""

from .kinds import Hearing as Hearing
from .kinds import Sight as Sight
from .named import audio_backbone as audio_backbone
from .named import visual_backbone as visual_backbone
