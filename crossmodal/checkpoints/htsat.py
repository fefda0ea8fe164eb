"""Importer of HTS-AT weights, as its authors name them, and as the audio side of transformers' CLAP does."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..audio.log_mel import mel_filters
from .load_strict import Imported, load_strict
from .raw_checkpoint import RawCheckpoint, Weights, read_weights
from .rules import CLASSIFIER, Dropped, Mapped, Rule, hierarchy_rule, prefix_rules, rename_rule, split_qkv
from .window_tables import INDEX, MASK

PATCHES = {"patch_embed.proj": "stem.patches.proj", "patch_embed.norm": "stem.patches.norm", "norm": "head"}
HALVES = {
    "norm1": "attention.norm",
    "norm2": "mlp.norm",
    "mlp.fc1": "mlp.body.0",
    "mlp.fc2": "mlp.body.3",
    "attn.relative_position_bias_table": "attention.body.position.table",
    "attn.proj": "attention.body.out",
}
CLAP_HALVES = {
    "layernorm_before": "attention.norm",
    "layernorm_after": "mlp.norm",
    "intermediate.dense": "mlp.body.0",
    "output.dense": "mlp.body.3",
    "attention.self.query": "attention.body.query",
    "attention.self.key": "attention.body.key",
    "attention.self.value": "attention.body.value",
    "attention.self.relative_position_bias_table": "attention.body.position.table",
    "attention.output.dense": "attention.body.out",
}
BUFFERS = {
    "attn_mask": MASK,
    "attn.relative_position_index": INDEX,
    "attention.self.relative_position_index": INDEX,
}
FRONT_END = {
    "spectrogram_extractor.": Dropped("kernels of the STFT, computed by LogMel"),
    "logmel_extractor.": Dropped("filters of the mel scale, computed by LogMel"),
}
FUSION = Dropped("the fusion of long sounds, which HTS-AT has not")
FUSED = {"patch_embed.fusion_model.": FUSION, "patch_embed.mel_conv2d.": FUSION}
REST_OF_CLAP = Dropped("a part of CLAP beside HTS-AT: text, projections, logit scales")
LAYOUT = "HTS-AT as released"
FILTERS = "logmel_extractor.melW"


def import_htsat(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads a released HTS-AT into `encoder`, as `htsat` builds it at the same size.

    Three layouts are recognised by their names: that of its authors, with or without the prefix `sed_model.` of their
    training, that of transformers' `ClapModel` or `ClapAudioModel`, and that of LAION's CLAP. CLAP was trained at
    48 kHz on a log-mel of its own: `LogMel(48_000, hop=480)`. If a file contains the mel filters it was trained with, a
    note says whether they are those of `LogMel()`.

    Args:
        encoder: The encoder to fill.
        weights: A file, or what else `read_weights` takes; `"clap"` is one from the hub, `"htsat"` that of AudioSet
            from a drive.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: With a table, and `encoder` as it was, if a tensor is missing, left over, of another shape or not
            finite.
    """
    checkpoint = with_filter_note(read_weights(weights))
    layout, rule = htsat_layout(checkpoint.tensors)
    return load_strict(encoder, checkpoint, rule, layout=layout, importer="import_htsat")


def with_filter_note(checkpoint: RawCheckpoint) -> RawCheckpoint:
    """Adds a note on the mel filters in a checkpoint, if it contains any: are they those of `LogMel()`?"""
    for name, theirs in checkpoint.tensors.items():
        if name.endswith(FILTERS) and not theirs.is_meta:
            ours = mel_filters(32_000, 1024, 64, 50.0, 14_000.0, device=torch.device("cpu"))
            same = theirs.shape == ours.shape and bool((theirs - ours).abs().amax() < 1e-6)
            verb = "are" if same else "are NOT"
            note = f"its mel filters {verb} those of LogMel() ({name})"
            return checkpoint._replace(notes=(*checkpoint.notes, note))
    return checkpoint


def htsat_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Recognises the layout of a checkpoint by its names; returns the layout's title and its rule."""
    names = list(names)
    if any(re.match(r"(.*\.)?layers\.\d+\.blocks\.\d+\.attention\.self\.", name) for name in names):
        return "HTS-AT as transformers' CLAP names it", clap_rule()
    if any(name.startswith("sed_model.") for name in names):
        return LAYOUT, prefix_rules({"sed_model.": (htsat_rule(), "")})
    if any(name.startswith("audio_branch.") for name in names):
        others = dict.fromkeys(("text_", "audio_transform.", "audio_projection.", "logit_scale"), (REST_OF_CLAP, ""))
        return "CLAP as LAION names it", prefix_rules({"audio_branch.": (htsat_rule(), ""), **others})
    return LAYOUT, htsat_rule()


def htsat_rule() -> Rule:
    """Builds the rule of the released HTS-AT, without a prefix."""
    classifier = {"head.": CLASSIFIER, "tscam_conv.": CLASSIFIER}
    return hierarchy_rule(_block, {"bn0": "stem.norm", **PATCHES}, {**classifier, **FRONT_END, **FUSED})


def clap_rule() -> Rule:
    """Builds the rule of transformers' CLAP: the whole model, its audio side, or its audio encoder alone."""
    encoder = hierarchy_rule(_clap_block, {"batch_norm": "stem.norm", **PATCHES}, FUSED)
    others = dict.fromkeys(("text_model.", "text_projection.", "audio_projection.", "logit_scale"), (REST_OF_CLAP, ""))
    return prefix_rules(
        {"audio_model.audio_encoder.": (encoder, ""), "audio_encoder.": (encoder, ""), **others, "": (encoder, "")}
    )


def _block(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of one block of the released HTS-AT."""
    if name in BUFFERS:
        return BUFFERS[name]
    if name in ("attn.qkv.weight", "attn.qkv.bias"):
        return split_qkv(tensor, "attention.body", name.rpartition(".")[2])
    return rename_rule(HALVES)(name, tensor)


def _clap_block(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of one block of CLAP."""
    return BUFFERS[name] if name in BUFFERS else rename_rule(CLAP_HALVES)(name, tensor)
