"""Encoders by name: ours, and any that timm, torchvision and transformers have, cut as they are."""

from crossmodal.encoders.by_name.kinds import Hearing as Hearing
from crossmodal.encoders.by_name.kinds import Sight as Sight
from crossmodal.encoders.by_name.named import audio_backbone as audio_backbone
from crossmodal.encoders.by_name.named import visual_backbone as visual_backbone
