"""CoOp: learned vectors among the words of a class name, the same for every frame.

Source: Zhou et al., *Learning to Prompt for Vision-Language Models*, IJCV 2022, and its released code, whose numbers
this file reproduces. How the published rows on AVE and LLP used sound is not documented; here it is not used.
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
from crossmodal.prompts import ContextFactory, PromptLayout, StaticPrompts, at_end, sentences, shared_context
from crossmodal.tasks.matched_system import MatchedFrames
from crossmodal.tasks.pretrained import with_pretrained
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import cosine_by_epoch

SETTINGS = Settings(
    optim={
        "optimizer": partial(SGD, lr=2e-3, momentum=0.9, weight_decay=5e-4),
        "schedule": partial(cosine_by_epoch, epochs=200),
    },
    trainer={"max_epochs": 200},
    data={"batch_size": 32},
)
"""Published training of images: 200 epochs, 100 for 2 to 4 shots, 50 for one."""


def static_prompts(
    names: Sequence[str], *, text: TextEncoder, tokenizer: Tokenizer, context: ContextFactory, layout: PromptLayout
) -> StaticPrompts:
    """Builds prompts of class names, with as many vectors as `context` returns."""
    vectors = context(text, tokenizer, len(names))
    return StaticPrompts(vectors, sentences(tokenizer, names, context=vectors.shape[-2]), layout=layout)


def coop(
    visual: str = "tiny_clip",
    *,
    classes: Sequence[str] = HELD_OUT,
    context: ContextFactory = shared_context,
    layout: PromptLayout = at_end,
    visual_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
) -> MatchedFrames:
    """Builds the system on a CLIP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_32` and so on, as `clip` takes it.
        classes: Names of the classes.
        context: Vectors to start from: `crossmodal.prompts.shared_context`, `context_per_class`, or
            `context_from_words`, whose words set their number.
        layout: Where the class name stands: `crossmodal.prompts.at_end`, `in_middle` or `at_front`.
        visual_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.
    """
    of = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    system = MatchedFrames(
        of.model,
        partial(
            static_prompts,
            text=cast(TextEncoder, of.model.text),
            tokenizer=of.tokenizer,
            context=context,
            layout=layout,
        ),
        classes=classes,
        preprocess=Preprocess(of.size, mean=of.mean, std=of.std),
    )
    return with_pretrained(system, pretrained)
