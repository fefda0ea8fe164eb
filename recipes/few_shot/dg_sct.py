"""DG-SCT on class names: CLIP and CLAP guide each other, and both text towers speak of the classes.

Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023. Every adapter has a temporal gate of its own, by the guide of
one second. Here the maps multiply the residual, so that every map acts, and CLAP's scale is exponentiated;
`dg_sct_released` is what the code computes. It was never trained on real data here.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor, nn

from crossmodal.data import Preprocess
from crossmodal.data.shot_world import HELD_OUT
from crossmodal.encoders.by_name import ImageText, SoundText, image_text, sound_text
from crossmodal.encoders.towers import TextEncoder, Tokenizer
from crossmodal.guidance import SegmentGuidance
from crossmodal.heads.matched_clips import ScoreRule, Weighing, doubled_sum, exponentiated, weighed_dynamically
from crossmodal.injection import paired_after_attention, vector_encoder
from crossmodal.prompts import ContextFactory, FeatureAdapter, PromptLayout, at_end, shared_context
from crossmodal.recipes.dg_sct import dg_sct as couple_dg_sct
from crossmodal.recipes.few_shot.clip import fixed_prompts
from crossmodal.recipes.few_shot.coop import static_prompts
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.matched_pair import MatchedPair
from crossmodal.tasks.pretrained import with_pretrained
from crossmodal.tasks.settings import Settings
from crossmodal.training.schedules import MultiStep

SETTINGS = Settings(
    optim={"lr": 3e-4, "schedule": partial(MultiStep, epochs=200, milestones=(10, 20, 30))},
    trainer={"max_epochs": 200, "gradient_clip_val": 0.5},
    data={"batch_size": 2},
    callbacks=(partial(EarlyStopping, monitor="val_accuracy", mode="max", patience=50),),
    seed=43,
)
"""Published training: Adam; the released code selects on the test split."""

COUPLING: dict[str, Any] = {
    "temporal": SegmentGuidance,
    "alpha": 0.2,
    "beta": 0.05,
    "gamma": 0.05,
    "latents": 2,
    "pairing": paired_after_attention,
}
"""Numbers of few clips; localisation of AVE has a gamma of 0.01."""

COUPLED = partial(couple_dg_sct, **COUPLING)


def four_vectors(text: TextEncoder, tokenizer: Tokenizer, classes: int) -> Tensor:
    """Draws four vectors that all classes share, as many as the words “a photo of a” have."""
    return shared_context(text, tokenizer, classes, length=4)


def as_trained(image: ImageText, sound: SoundText) -> tuple[nn.Module, Preprocess]:
    """Returns the front end of sounds and the form of clips that both models were trained on."""
    return sound.sound, Preprocess(image.size, sound.rate, image.mean, image.std)


@torch.no_grad()
def text_vector(image: ImageText, sentence: str) -> Tensor:
    """Returns the features of a sentence by the text tower, of length one."""
    tokens = image.tokenizer([sentence])
    return nn.functional.normalize(image.model.text(tokens)[0], dim=0)


def dg_sct(
    visual: str = "tiny_clip",
    audio: str = "tiny_clap",
    *,
    classes: Sequence[str] = HELD_OUT,
    coupling: Coupling = COUPLED,
    context: ContextFactory = four_vectors,
    layout: PromptLayout = at_end,
    sound_template: str = "the sounds of {}",
    adapter: Callable[[int], nn.Module] = FeatureAdapter,
    rule: ScoreRule = doubled_sum,
    weighing: Weighing = weighed_dynamically,
    audio_scale: Callable[[Tensor], Tensor] = exponentiated,
    reads: Callable[[ImageText, SoundText], tuple[nn.Module, Preprocess]] = as_trained,
    visual_weights: str | Path | None = None,
    audio_weights: str | Path | None = None,
    vocabulary: str | Path | None = None,
    audio_vocabulary: str | Path | None = None,
    pretrained: str | Path | None = None,
    sentence: str | None = None,
) -> MatchedPair:
    """Builds the system on a CLIP and a CLAP by name.

    Args:
        visual: `tiny_clip`, `clip_vit_b_32` (published) and so on, as `clip` takes it.
        audio: `tiny_clap` or `clap_htsat` (published).
        classes: Names of the classes.
        coupling: Couples the encoders of frames and sounds.
        context: Vectors of CLIP's prompts to start from, as `coop` takes them.
        layout: Where the class name stands among them.
        sound_template: CLAP's sentence; braces stand for the class name, whose underscores stay.
        adapter: Builds the adapters of frame and class features.
        rule: Scores from the logits of frames and sounds: `doubled_sum`, `weighed_by_size`, `released_quotient`.
        weighing: Weighs the loss terms over epochs: `weighed_dynamically`, `weighed_by_schedule`, …
        audio_scale: Scale of CLAP's cosines from its stored logarithm.
        reads: Front end of sounds and form of clips.
        visual_weights: File of CLIP's weights, or `pretrained`.
        audio_weights: File of CLAP's weights, or `pretrained`.
        vocabulary: Folder of the files of CLIP's tokenizer.
        audio_vocabulary: Folder of the files of CLAP's tokenizer.
        pretrained: Folder of a run of `pretrain` whose weights to begin with.
        sentence: Guides frames and sounds, by CLIP's text features, wherever they guide each other; an extension of
            ours, which needs a coupling with `guides`.
    """
    seen = image_text(visual, weights=visual_weights, vocabulary=vocabulary)
    heard = sound_text(audio, weights=audio_weights, vocabulary=audio_vocabulary)
    sound, preprocess = reads(seen, heard)
    said = None
    if sentence is not None:
        said = text_vector(seen, sentence)
        of_three: Any = coupling  # whose type says nothing of keywords
        coupling = partial(of_three, guides={"text": vector_encoder(len(said))})
    system = MatchedPair(
        seen.model,
        heard.model,
        coupling=coupling,
        sound=sound,
        preprocess=preprocess,
        speak=partial(
            static_prompts,
            text=cast(TextEncoder, seen.model.text),
            tokenizer=seen.tokenizer,
            context=context,
            layout=layout,
        ),
        speak_of_sound=partial(fixed_prompts, tokenizer=heard.tokenizer, template=sound_template),
        classes=classes,
        adapter=adapter,
        rule=rule,
        weighing=weighing,
        audio_scale=audio_scale,
        sentence=said,
    )
    return with_pretrained(system, pretrained)
