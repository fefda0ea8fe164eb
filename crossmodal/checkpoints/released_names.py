"""Importer of the released few-shot, pre-training and zero-shot models of DG-SCT: coupled CLIP and CLAP."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..injection import Lockstep
from .clap import roberta_rule
from .clip import openai_rule
from .htsat import htsat_rule
from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .released_models import adapter_rules
from .rules import Dropped, Mapped, Rule, prefix_rules, rename_rule

SPOKEN = Dropped("embeddings of the words around the class names, which follow from the names")
META_NET = Dropped("a meta-net that the released code never calls")
DEAD_HEAD = Dropped("a head of AVE that no score of class names reaches")
TRANSFORM = Dropped("a transform of CLAP's that the scores do without")
SCALE = "logit_scale_a"


def import_dg_sct_names(model: nn.Module, weights: Weights, *, audio_log_scale: float | None = None) -> Imported:
    """Loads a released few-shot, pre-training or zero-shot DG-SCT: both towers, their text sides, all that it learned.

    Buffers of the class names are dropped: a file fits whatever names the model speaks of.

    Args:
        model: A `MatchedPair`, as `crossmodal.recipes.few_shot.dg_sct_released.dg_sct_released` builds it on
            `clip_vit_b_32` and `clap_htsat`, or the same at another size.
        weights: A file, or what else `read_weights` takes.
        audio_log_scale: Scale of CLAP's logits, which is not in the released files but in CLAP's own; `None` keeps that
            of the model.

    Returns:
        What became of every tensor.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: With a table, and `model` as it was, if a tensor is missing, left over, of another shape or not
            finite; or if the model is on the meta device and has no scale of its own to keep.
    """
    checkpoint = read_weights(weights)
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_names: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    own = model.get_parameter("sound_names.log_scale")
    if audio_log_scale is None and own.is_meta:
        raise ValueError(
            "import_dg_sct_names: audio_log_scale=None, but the model is on the meta device and holds none: give "
            "logit_scale_a of the CLAP that the file was trained on."
        )
    scale = own.detach() if audio_log_scale is None else torch.tensor(audio_log_scale)
    note = f"{SCALE} is not in released files: {'the model keeps its own' if audio_log_scale is None else 'as given'}"
    # a copy of the model's own number would be emptied with it where it is filled in place
    tensors = {**checkpoint.tensors, SCALE: scale.clone()}
    checkpoint = checkpoint._replace(tensors=tensors, notes=(*checkpoint.notes, note))
    rule = dg_sct_names_rule(checkpoint.tensors, coupled)
    return load_strict(
        model, checkpoint, rule, layout="DG-SCT as released on class names", importer="import_dg_sct_names"
    )


def dg_sct_names_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of a released DG-SCT on class names for a model around `coupled`, from the names in the file."""
    bottleneck = rename_rule({"fc.0": "down", "fc.2": "up"})
    layers = rename_rule({"0": "0", "2": "2"})
    return prefix_rules(
        {
            "prompt_learner.ctx": (rename_rule({"": "context"}), "names.prompts."),
            "prompt_learner.token_": (SPOKEN, ""),
            "prompt_learner.meta_net.": (META_NET, ""),
            "text_encoder.": (text_rule, "names.text."),
            "token_embedding.": (rename_rule({"weight": "weight"}), "names.text.tokens."),
            "clip_adapter.": (bottleneck, "adapter."),
            "clip_adapter_text.": (bottleneck, "names.adapter."),
            "htsat.": (htsat_rule(), "coupled.encoders.audio."),
            "audio_projection.": (layers, "pooling.audio.projection."),
            "clap_text_encoder.text_branch.": (roberta_rule, "sound_names.text."),
            "clap_text_encoder.text_projection.": (layers, "sound_names.text.projection."),
            "clap_text_encoder.text_transform.": (TRANSFORM, ""),
            "audio_visual_contrastive_learner.": (rename_rule({"fc_a1": "audio"}), "contrast."),
            "ViT.": (image_rule, ""),
            **adapter_rules("import_dg_sct_names", list(names), coupled, "coupled."),
            "CMBS.": (DEAD_HEAD, ""),
            "audio_adapter.": (DEAD_HEAD, ""),
            SCALE: (rename_rule({"": "log_scale"}), "sound_names."),
            "logit_scale": (rename_rule({"": "log_scale"}), "names."),
        }
    )


def text_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the text tower, whose names are OpenAI's."""
    mapped = openai_rule(name, tensor)
    if mapped is None or isinstance(mapped, Dropped):
        return mapped
    return {ours.removeprefix("text."): value for ours, value in mapped.items()}


def image_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the image tower, whose names are OpenAI's without `visual.`."""
    mapped = openai_rule(f"visual.{name}", tensor)
    if mapped is None or isinstance(mapped, Dropped):
        return mapped
    places = {"tower.encoder.": "coupled.encoders.visual.", "tower.projection.": "pooling.visual.projection."}
    return {
        ours.replace(theirs, mine, 1): value
        for ours, value in mapped.items()
        for theirs, mine in places.items()
        if ours.startswith(theirs)
    }
