"""Importers of released parsing models: HAN, MGN, and DG-SCT on LLP, whose head is MGN's."""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from ..injection import Lockstep
from .htsat import htsat_rule, with_filter_note
from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .released_models import UNCALLED, adapter_rules, without_prefix
from .rules import Dropped, Mapped, Rule, prefix_rules, rename_rule, split_qkv
from .swin_v2 import swin_v2_layout

HAN_NAMES = {
    "fc_prob": "pooling.probability",
    "fc_frame_att": "pooling.time_weight",
    "fc_av_att": "pooling.modality_weight",
    "fc_a": "vectors.audio",
    "fc_v": "vectors.visual",
    "fc_st": "vectors.motion.project",
    "fc_fusion": "vectors.motion.fuse",
    "hat_encoder.layers.0.self_attn": "attention.own",
    "hat_encoder.layers.0.self_attn.out_proj": "attention.own.out_proj",
    "hat_encoder.layers.0.cm_attn": "attention.other",
    "hat_encoder.layers.0.cm_attn.out_proj": "attention.other.out_proj",
    "hat_encoder.layers.0.linear1": "attention.feedforward.0",
    "hat_encoder.layers.0.linear2": "attention.feedforward.3",
    "hat_encoder.layers.0.norm1": "attention.attention_norm",
    "hat_encoder.layers.0.norm2": "attention.feedforward_norm",
}
HAN_UNREAD = ("audio_encoder.", "visual_encoder.", "cmt_encoder.", "hat_encoder.norm")
GROUPING_NAMES = {
    "norm_tokens": "group_norm",
    "mlp_inter.fc1": "mix.0",
    "mlp_inter.fc2": "mix.2",
    "norm_post_tokens": "mixed_norm",
    "norm_x": "token_norm",
    "pre_assign_attn.attn.q_proj": "attention.query",
    "pre_assign_attn.attn.k_proj": "attention.key",
    "pre_assign_attn.attn.v_proj": "attention.value",
    "pre_assign_attn.attn.proj": "attention.out",
    "pre_assign_attn.norm2": "read.0",
    "pre_assign_attn.mlp.fc1": "read.1.0",
    "pre_assign_attn.mlp.fc2": "read.1.2",
    "pre_assign_attn.norm_post": "read_norm",
    "assign.q_proj": "query",
    "assign.k_proj": "key",
    "assign.v_proj": "value",
    "assign.proj": "out",
    "norm_new_x": "refine.0",
    "mlp_channels.fc1": "refine.1.0",
    "mlp_channels.fc2": "refine.1.2",
}
BLOCK_NAMES = {
    "norm1": "norm",
    "attn.proj": "attention.out",
    "norm2": "mlp.norm",
    "mlp.fc1": "mlp.body.0",
    "mlp.fc2": "mlp.body.2",
}
HEAD_NAMES = {
    "audio_token": "head.audio_tokens",
    "visual_token": "head.visual_tokens",
    "fc_prob": "head.clip",
    "fc_prob_a": "head.audio",
    "fc_prob_v": "head.visual",
    "fc_cls": "head.token_class",
}
GROUPINGS = {
    "audio_cug.han_encoder.": "head.across.",
    "audio_cug.grouping.": "head.audio_groups.",
    "visual_cug.grouping.": "head.visual_groups.",
    "av_mcg.grouping.": "head.joint_groups.",
}
TRUNKS = {
    "audio_cug.blocks.": "head.audio_trunk.",
    "visual_cug.blocks.": "head.visual_trunk.",
    "av_mcg.blocks.": "head.joint_trunk.",
}
GATE_NAMES = {
    "audio_visual_rnn_layer.audio_rnn": "rnn",
    "audio_encoder.affine_matrix": "encoder.project",
    "audio_gated.0": "readout",
    **{
        f"audio_encoder.encoder.layers.{layer}.{part}": f"encoder.layers.{layer}.{part}"
        for layer in (0, 1)
        for part in ("linear1", "linear2", "norm1", "norm2", "self_attn", "self_attn.out_proj")
    },
}
DISCARDED = ("video_encoder.", "audio_visual_rnn_layer.visual_rnn.", "video_gated.", "audio_encoder.encoder_layer.")
OUTER_GATE = ("temporal_gated.",)


def import_han(model: nn.Module, weights: Weights) -> Imported:
    """Loads HAN's released state (`MMIL_Net.pt`) into the system of `crossmodal.recipes.avvp.han`.

    Args:
        model: The system, on published features.
        weights: A file, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, if a tensor is missing, left over or of another shape.
    """
    return load_strict(model, read_weights(weights), han_rule, layout="HAN as released", importer="import_han")


def import_mgn(model: nn.Module, weights: Weights) -> Imported:
    """Loads MGN's released state (`MGN_Net.pt`) into the system of `crossmodal.recipes.avvp.mgn`.

    Args:
        model: The system, on published features.
        weights: A file, or what else `read_weights` takes.

    Raises:
        ValueError: As `import_han`.
    """
    return load_strict(model, read_weights(weights), mgn_rule(), layout="MGN as released", importer="import_mgn")


def import_dg_sct_avvp(model: nn.Module, weights: Weights) -> Imported:
    """Loads the released DG-SCT of LLP: both encoders, 48 adapters, the audio gate and the parsing head.

    Args:
        model: The system of `crossmodal.recipes.avvp.dg_sct_released` on `"swin_v2_l"` and `"htsat"` with `motion=512`,
            or the same at another size.
        weights: A file, or what else `read_weights` takes.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: As `import_han`; if `model` does not have two couplers for every released pair.
    """
    checkpoint = with_filter_note(read_weights(weights))
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_avvp: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = dg_sct_avvp_rule(checkpoint.tensors, coupled)
    return load_strict(model, checkpoint, rule, layout="DG-SCT as released for LLP", importer="import_dg_sct_avvp")


def han_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of HAN."""
    if name.startswith(HAN_UNREAD):
        return Dropped("a layer of HAN that no loss reaches")
    return rename_rule(HAN_NAMES)(name, tensor)


def grouping_head_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the head that MGN and DG-SCT share."""
    groupings: dict[str, tuple[Rule | Dropped, str]] = {
        theirs: (rename_rule(GROUPING_NAMES), ours) for theirs, ours in GROUPINGS.items()
    }
    trunks = {theirs: (block_rule, ours) for theirs, ours in TRUNKS.items()}
    mapped = prefix_rules({**groupings, **trunks})(name, tensor)
    return rename_rule(HEAD_NAMES)(name, tensor) if mapped is None else mapped


def block_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of a trunk, `BLOCK.…`."""
    match = re.fullmatch(r"(\d+)\.(.+)", name)
    if match is None:
        return None
    if match[2].startswith("attn.qkv."):
        return split_qkv(tensor, f"{match[1]}.attention", match[2].rpartition(".")[2])
    return prefix_rules({f"{match[1]}.": (rename_rule(BLOCK_NAMES), f"{match[1]}.")})(name, tensor)


def front_rule(audio: str, visual: str, motion: str) -> Rule:
    """Builds the rule of the projections before the head, from their names here."""
    return rename_rule({"fc_a": audio, "fc_v": visual, "fc_st": f"{motion}.project", "fc_fusion": f"{motion}.fuse"})


def mgn_rule() -> Rule:
    """Builds the rule of MGN."""
    return first_of(front_rule("vectors.audio", "vectors.visual", "vectors.motion"), grouping_head_rule)


def dg_sct_avvp_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released DG-SCT for a model around `coupled`, from the names in the file."""
    names = list(names)
    adapters = {
        prefix: (first_of(unread_gate_rule, rule) if not isinstance(rule, Dropped) else rule, ours)
        for prefix, (rule, ours) in adapter_rules("import_dg_sct_avvp", names, coupled, "coupled.").items()
    }
    parts = prefix_rules(
        {
            "swin.": (swin_v2_layout(without_prefix(names, "swin."))[1], "coupled.encoders.visual."),
            "htsat.": (htsat_rule(), "coupled.encoders.audio."),
            **adapters,
            "temporal_attn.": (gate_rule, "gates.audio_gate."),
            "adapter_token_downsampler.": (UNCALLED, ""),
        }
    )
    return first_of(parts, front_rule("audio_in", "visual_in", "motion"), grouping_head_rule)


def gate_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the temporal block: its audio half gates the video, the other's result is discarded."""
    if name.startswith(DISCARDED):
        return Dropped("the half of the temporal block whose result the released code discards, or an unused copy")
    return rename_rule(GATE_NAMES)(name, tensor)


def unread_gate_rule(name: str, tensor: Tensor) -> Mapped:
    """Drops the temporal gate inside the adapters, which the parsing model has and never uses."""
    return (
        Dropped("a temporal gate of the adapters that the parsing model never uses")
        if name.startswith(OUTER_GATE)
        else None
    )


def first_of(*rules: Rule) -> Rule:
    """Builds the rule that asks several, and takes the first that knows the name."""

    def rule(name: str, tensor: Tensor) -> Mapped:
        found = (each(name, tensor) for each in rules)
        return next((mapped for mapped in found if mapped is not None), None)

    return rule
