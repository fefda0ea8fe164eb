"""HTS-AT weights, as its authors name them, and as the sound side of transformers' CLAP does."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..audio.log_mel import mel_filters
from .imported import Imported, bring
from .reading import Found, Weights, read_weights
from .rules import CLASSIFIER, INDEX, MASK, Dropped, Placed, Rule, hierarchy_rule, renamed, thirds, within

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
REST_OF_CLAP = Dropped("a part of CLAP beside HTS-AT: text, projections, logit scales")
LAYOUT = "HTS-AT as released"
MEL = "logmel_extractor.melW"


def import_htsat(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads a released HTS-AT into `encoder`, as `htsat` builds it at the same size.

    - `weights`: as `read_weights` takes them; `"clap"` is one from the hub, `"htsat"` that of AudioSet from a drive.

    Two namings are told apart: that of its authors, with or without the prefix `sed_model.` of their training, and that
    of transformers' `ClapModel` or `ClapAudioModel`. CLAP was trained at 48 kHz on a log-mel of its own:
    `LogMel(48_000, hop=480)`. Where a file holds the mel filters it was trained with, a note says whether they are
    those of `LogMel()`.

    Returns what became of every tensor. Raises `ValueError` with a table, and leaves `encoder` as it was, where a
    tensor is missing, left over, of another shape, or not finite.
    """
    found = with_front_end(read_weights(weights))
    layout, rule = htsat_layout(found.tensors)
    return bring(encoder, found, rule, layout=layout, importer="import_htsat")


def with_front_end(found: Found) -> Found:
    """A file with a note on the mel filters in it, where it holds any."""
    for name, theirs in found.tensors.items():
        if name.endswith(MEL) and not theirs.is_meta:
            ours = mel_filters(32_000, 1024, 64, 50.0, 14_000.0, device=torch.device("cpu"))
            same = theirs.shape == ours.shape and bool((theirs - ours).abs().amax() < 1e-6)
            verb = "are" if same else "are NOT"
            return found._replace(notes=(*found.notes, f"its mel filters {verb} those of LogMel() ({name})"))
    return found


def htsat_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Whose names these are, and their rule."""
    names = list(names)
    if any(re.match(r"(.*\.)?layers\.\d+\.blocks\.\d+\.attention\.self\.", name) for name in names):
        return "HTS-AT as transformers' CLAP names it", clap_rule()
    if any(name.startswith("sed_model.") for name in names):
        return LAYOUT, within({"sed_model.": (htsat_rule(), "")})
    return LAYOUT, htsat_rule()


def htsat_rule() -> Rule:
    """The rule of the released HTS-AT, without a prefix."""
    classifier = {"head.": CLASSIFIER, "tscam_conv.": CLASSIFIER}
    return hierarchy_rule(_block, {"bn0": "stem.norm", **PATCHES}, {**classifier, **FRONT_END})


def clap_rule() -> Rule:
    """The rule of transformers' CLAP: whole, its sound side, or its encoder of sound alone."""
    fusion = {"patch_embed.fusion_model.": FUSION, "patch_embed.mel_conv2d.": FUSION}
    encoder = hierarchy_rule(_clap_block, {"batch_norm": "stem.norm", **PATCHES}, fusion)
    beside = dict.fromkeys(("text_model.", "text_projection.", "audio_projection.", "logit_scale"), (REST_OF_CLAP, ""))
    return within(
        {"audio_model.audio_encoder.": (encoder, ""), "audio_encoder.": (encoder, ""), **beside, "": (encoder, "")}
    )


def _block(name: str, tensor: Tensor) -> Placed:
    if name in BUFFERS:
        return BUFFERS[name]
    if name in ("attn.qkv.weight", "attn.qkv.bias"):
        return thirds(tensor, "attention.body", name.rpartition(".")[2])
    return renamed(HALVES)(name, tensor)


def _clap_block(name: str, tensor: Tensor) -> Placed:
    return BUFFERS[name] if name in BUFFERS else renamed(CLAP_HALVES)(name, tensor)
