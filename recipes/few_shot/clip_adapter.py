"""CLIP-Adapter: a small bottleneck on the features of frames, matched with class names in a fixed sentence.

Source: Gao et al., *CLIP-Adapter*, IJCV 2024, and its released file, whose numbers this one reproduces. Its training is
said to follow CoOp. How the published rows on AVE and LLP used sound is not documented; here it is not used.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import nn
from torch.optim import SGD

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import image_text
from crossmodal.named_draws import drawn
from crossmodal.prompts import FeatureAdapter
from crossmodal.recipes.few_shot.clip import fixed_prompts
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
"""CoOp's published training of images, which CLIP-Adapter names."""


def clip_adapter(
    visual: str = "tiny_clip",
    *,
    classes: Sequence[str] = HELD_OUT,
    template: str = "a photo of a {}.",
    adapter: Callable[[int], nn.Module] = FeatureAdapter,
    visual_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
) -> MatchedFrames:
    """Builds the system on a CLIP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_32` and so on, as `clip` takes it.
        classes: Names of the classes.
        template: Sentence; braces stand for the class name.
        adapter: Builds the bottleneck from the width of the features.
        visual_weights: File of weights, or `pretrained`.
        vocabulary: Folder of the tokenizer's files.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.
    """
    of = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    system = MatchedFrames(
        of.model,
        partial(fixed_prompts, tokenizer=of.tokenizer, template=template),
        classes=classes,
        preprocess=Preprocess(of.size, mean=of.mean, std=of.std),
        adapter=drawn("adapter", adapter, of.model.tower.features),
    )
    return with_pretrained(system, pretrained)
