"""CoCoOp: learned vectors among the words of a class name, shifted by every frame.

Source: Zhou et al., *Conditional Prompt Learning for Vision-Language Models*, CVPR 2022, and its released code, whose
numbers this file reproduces. The text tower runs once per frame and class. How the published rows on AVE and LLP used
sound is not documented; here it is not used.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from torch.optim import SGD

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import image_text
from crossmodal.encoders.towers import TextEncoder, Tokenizer
from crossmodal.prompts import ConditionalPrompts, ContextFactory, context_from_words, sentences
from crossmodal.tasks.matched_system import MatchedByPicture
from crossmodal.tasks.pretrained import with_pretrained
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import cosine_by_epoch

SETTINGS = Settings(
    optim={
        "optimizer": partial(SGD, lr=2e-3, momentum=0.9, weight_decay=5e-4),
        "schedule": partial(cosine_by_epoch, epochs=10),
    },
    trainer={"max_epochs": 10},
    data={"batch_size": 1},
)
"""Published training of images."""


def conditional_prompts(
    names: Sequence[str],
    *,
    text: TextEncoder,
    tokenizer: Tokenizer,
    context: ContextFactory,
    reduction: int,
) -> ConditionalPrompts:
    """Builds prompts of class names, with as many vectors as `context` returns."""
    vectors = context(text, tokenizer, len(names))
    spoken = sentences(tokenizer, names, context=vectors.shape[-2])
    return ConditionalPrompts(vectors, spoken, features=text.features, reduction=reduction)


def cocoop(
    visual: str = "tiny_clip",
    *,
    classes: Sequence[str] = HELD_OUT,
    context: ContextFactory = context_from_words,
    reduction: int = 16,
    visual_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
) -> MatchedByPicture:
    """Builds the system on a CLIP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_16` (published) and so on, as `clip` takes it.
        classes: Names of the classes.
        context: Vectors to start from, as `coop` takes them.
        reduction: The meta-net has that part of the features as hidden units.
        visual_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.
    """
    of = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    system = MatchedByPicture(
        of.model,
        partial(
            conditional_prompts,
            text=cast(TextEncoder, of.model.text),
            tokenizer=of.tokenizer,
            context=context,
            reduction=reduction,
        ),
        classes=classes,
        preprocess=Preprocess(of.size, mean=of.mean, std=of.std),
    )
    return with_pretrained(system, pretrained)
