"""MaPLe: learned vectors in the first layers of both towers; those of the image follow from those of the text.

Source: Khattak et al., *MaPLe: Multi-modal Prompt Learning*, CVPR 2023, and its released code, whose numbers this file
reproduces, save that the code rounds some vectors to half precision. How the published rows on AVE and LLP used sound
is not documented; here it is not used. Where an image tower takes no further tokens, as the tiny one, the vectors are
added to all tokens: ours, and said by `fit`.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import SGD

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import image_text
from crossmodal.encoders.towers import TextEncoder, Tokenizer
from crossmodal.prompts import ContextFactory, DeepPrompts, block_widths, context_from_words, sentences
from crossmodal.tasks.matched_system import MatchedDeeply
from crossmodal.tasks.pretrained import with_pretrained
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import cosine_by_epoch

SETTINGS = Settings(
    optim={
        "optimizer": partial(SGD, lr=3.5e-3, momentum=0.9, weight_decay=5e-4),
        "schedule": partial(cosine_by_epoch, epochs=5),
    },
    trainer={"max_epochs": 5},
    data={"batch_size": 4},
)
"""Published training of images."""


def a_photo(text: TextEncoder, tokenizer: Tokenizer, classes: int) -> Tensor:
    """Returns the embeddings of “a photo”, the first words of “a photo of a”."""
    return context_from_words(text, tokenizer, classes, words="a photo of a", length=2)


def deep_prompts(
    names: Sequence[str],
    *,
    text: TextEncoder,
    tokenizer: Tokenizer,
    context: ContextFactory,
    before: str,
    visual_widths: Sequence[int],
) -> DeepPrompts:
    """Builds prompts of class names, with as many vectors as `context` returns."""
    vectors = context(text, tokenizer, len(names))
    spoken = sentences(tokenizer, names, context=vectors.shape[-2], before=before)
    return DeepPrompts(vectors, spoken, visual_widths=visual_widths)


def maple(
    visual: str = "tiny_clip",
    *,
    classes: Sequence[str] = HELD_OUT,
    context: ContextFactory = a_photo,
    before: str = "of a",
    depth: int = 9,
    visual_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
) -> MatchedDeeply:
    """Builds the system on a CLIP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_16` (published) and so on, as `clip` takes it.
        classes: Names of the classes.
        context: First vectors to start from; those of “a photo”.
        before: Fixed words between the vectors and the class name.
        depth: Layers with vectors, or as many as the smaller tower has.
        visual_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.
    """
    of = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    text: Any = of.model.text
    widths = block_widths(of.model.tower.encoder)
    speak = partial(
        deep_prompts,
        text=text,
        tokenizer=of.tokenizer,
        context=context,
        before=before,
        visual_widths=widths[: min(depth, len(text.blocks))],
    )
    system = MatchedDeeply(of.model, speak, classes=classes, preprocess=Preprocess(of.size, mean=of.mean, std=of.std))
    return with_pretrained(system, pretrained)
