"""Importers of released question-answering models: ST-AVQA, its grounding stage, and DG-SCT on MUSIC-AVQA."""

from collections.abc import Iterable

from torch import Tensor, nn

from ..injection import Lockstep
from .htsat import htsat_rule, with_filter_note
from .load_strict import Imported, load_strict
from .parsing import first_of
from .raw_checkpoint import Weights, read_weights
from .released_models import UNCALLED, adapter_rules, without_prefix
from .rules import Dropped, Mapped, Rule, add_prefix, prefix_rules, rename_rule
from .swin_v2 import swin_v2_layout

GROUNDING_NAMES = {
    "fc_a1": "audio.0",
    "fc_a2": "audio.2",
    "fc_gl": "grounding.fuse",
    "fc1": "match.layers.0",
    "fc2": "match.layers.2",
    "fc3": "match.layers.4",
    "fc4": "match.layers.6",
}
HEAD_NAMES = {
    "fc_fusion": "fuse",
    "fc_ans": "answer",
    "question_encoder.word2vec": "question.embedding",
    "question_encoder.lstm": "question.lstm",
    "question_encoder.fc": "question.project",
    "attn_v": "seen.attention",
    "attn_v.out_proj": "seen.attention.out_proj",
    "linear11": "seen.feedforward.0",
    "linear12": "seen.feedforward.3",
    "norm1": "seen.norm",
    "attn_a": "heard.attention",
    "attn_a.out_proj": "heard.attention.out_proj",
    "linear21": "heard.feedforward.0",
    "linear22": "heard.feedforward.3",
    "norm2": "heard.norm",
}
UNREAD = ("fc_a1_pure.", "fc_a2_pure.", "fc_v.", "fc_st.", "fc.", "fc_aq.", "fc_vq.", "norm3.")
"""Layers that the published answering networks have and never use."""


def import_st_avqa(model: nn.Module, weights: Weights) -> Imported:
    """Loads ST-AVQA's released state into the system of `crossmodal.recipes.avqa.st_avqa`.

    The ResNet-18 in the file is dropped: it is the extractor of the features, given to the system by its own file.

    Args:
        model: The system, of width 512.
        weights: A file, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, if a tensor is missing, left over or of another shape.
    """
    rule = first_of(resnet_rule, under_head(answering_rule))
    return load_strict(model, read_weights(weights), rule, layout="ST-AVQA as released", importer="import_st_avqa")


def import_grounding(model: nn.Module, weights: Weights) -> Imported:
    """Loads a released grounding stage into the `grounder` of a system that answers.

    Args:
        model: A `SoundGrounding`, such as `system.head.grounder`.
        weights: A file, or what else `read_weights` takes; encoders in it are dropped.

    Raises:
        ValueError: As `import_st_avqa`.
    """
    rule = first_of(resnet_rule, encoder_rule, rename_rule(GROUNDING_NAMES))
    return load_strict(model, read_weights(weights), rule, layout="a grounding stage", importer="import_grounding")


def import_dg_sct_avqa(model: nn.Module, weights: Weights) -> Imported:
    """Loads the released DG-SCT of MUSIC-AVQA: both encoders, 48 adapters and the head.

    Args:
        model: The system of `crossmodal.recipes.avqa.dg_sct_released` on `"swin_v2_l"` and `"htsat"`, or the same at
            another size.
        weights: A file, or what else `read_weights` takes.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: As `import_st_avqa`; if `model` does not have two couplers for every released pair.
    """
    checkpoint = with_filter_note(read_weights(weights))
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_avqa: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = dg_sct_avqa_rule(checkpoint.tensors, coupled)
    return load_strict(model, checkpoint, rule, layout="DG-SCT as released for AVQA", importer="import_dg_sct_avqa")


def answering_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the head that ST-AVQA, LAVisH and DG-SCT share."""
    if name.startswith(UNREAD):
        return Dropped("a layer of the answering network that no loss reaches")
    grounding = rename_rule(GROUNDING_NAMES)(name, tensor)
    return rename_rule(HEAD_NAMES)(name, tensor) if grounding is None else add_prefix(grounding, "grounder.")


def under_head(rule: Rule) -> Rule:
    """Builds the rule of a system whose head is mapped by `rule`."""
    return lambda name, tensor: add_prefix(rule(name, tensor), "head.")


def resnet_rule(name: str, tensor: Tensor) -> Mapped:
    """Drops the ResNet-18 that ST-AVQA keeps in its networks."""
    return Dropped("the frozen ResNet-18 of the features") if name.startswith("visual_net.") else None


def encoder_rule(name: str, tensor: Tensor) -> Mapped:
    """Drops the frozen encoders that DG-SCT keeps in its grounding stage."""
    return Dropped("a frozen encoder") if name.startswith(("swin.", "htsat.")) else None


def ungated_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps the last norm of an audio adapter, which has no gate behind it."""
    return rename_rule({"ln_post": "bottleneck.finish"})(name, tensor)


def dg_sct_avqa_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released DG-SCT for a model around `coupled`, from the names in the file."""
    names = list(names)
    adapters = adapter_rules("import_dg_sct_avqa", names, coupled, "coupled.")
    sounds = {
        prefix: (first_of(ungated_rule, rule) if not isinstance(rule, Dropped) else rule, ours)
        for prefix, (rule, ours) in adapters.items()
        if prefix.startswith("audio")
    }
    parts = prefix_rules(
        {
            "swin.": (swin_v2_layout(without_prefix(names, "swin."))[1], "coupled.encoders.visual."),
            "htsat.": (htsat_rule(), "coupled.encoders.audio."),
            **adapters,
            **sounds,
            "adapter_token_downsampler.": (UNCALLED, ""),
        }
    )
    return first_of(parts, under_head(answering_rule))
