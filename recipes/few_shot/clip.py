"""CLIP alone: frames matched with class names in a fixed sentence; nothing learns.

Source: Radford et al., *Learning Transferable Visual Models From Natural Language Supervision*, ICML 2021. How the
published rows on AVE and LLP used it is not documented; here every second's frame is matched by itself.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import image_text
from crossmodal.encoders.towers import Tokenizer
from crossmodal.prompts import FixedPrompts, template_tokens
from crossmodal.tasks.matched_system import MatchedFrames
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(trainer={"max_epochs": 0})
"""Nothing is trained."""


def fixed_prompts(names: Sequence[str], *, tokenizer: Tokenizer, template: str) -> FixedPrompts:
    """Builds fixed sentences, with underscores in names as spaces."""
    return FixedPrompts(template_tokens(tokenizer, [name.replace("_", " ") for name in names], template))


def clip(
    visual: str = "tiny_clip",
    *,
    classes: Sequence[str] = HELD_OUT,
    template: str = "a photo of a {}.",
    visual_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
) -> MatchedFrames:
    """Builds the system on a CLIP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_32`, `clip_vit_b_16` or `clip_vit_l_14`.
        classes: Names of the classes.
        template: Sentence; braces stand for the class name.
        visual_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files; `tiny_clip` has its own.
    """
    of = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    return MatchedFrames(
        of.model,
        partial(fixed_prompts, tokenizer=of.tokenizer, template=template),
        classes=classes,
        preprocess=Preprocess(of.size, mean=of.mean, std=of.std),
    )
