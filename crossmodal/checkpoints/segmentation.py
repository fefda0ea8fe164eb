"""Importers of released segmentation models: DG-SCT (S4, MS3) and AVSBench's own, on its PVT-v2."""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from ..injection import Lockstep
from .htsat import htsat_rule, with_filter_note
from .load_strict import Imported, load_strict
from .parsing import first_of
from .pvt_v2 import pvt_v2_rule
from .raw_checkpoint import Weights, read_weights
from .released_models import adapter_rules, without_prefix
from .released_modules import adapter_rule
from .rules import Dropped, Mapped, Rule, add_prefix, as_matrix, prefix_rules, rename_rule
from .swin_v2 import swin_v2_layout

TPAVI_NAMES = {
    "align_channel": "project_audio",
    "theta": "query",
    "phi": "key",
    "g": "value",
    "W_z.0": "write",
    "W_z.1": "write_norm",
    "norm_layer": "norm",
}
OUTPUT = {"0": "entry", "2": "readout.0", "4": "readout.2"}
UNITS = {"1": "skip_unit", "2": "unit"}
CONVS = {"1": "first", "2": "second"}
LEVEL = re.compile(r"tpavi_b(\d)\.(.+)")
PATH = re.compile(r"path(\d)\.resConfUnit(\d)\.conv(\d)\.(\w+)")
DILATED = re.compile(r"conv(\d)\.conv2d_list\.(.+)")
LINEAR = re.compile(r"x(\d)_linear_\.(\w+)")
GATE = re.compile(r"(audio|video)_(encoder|gated)\.(\d)\.(.+)")
RNN = re.compile(r"audio_visual_rnn_layer\.(\d)\.(audio|visual)_rnn\.(\w+)")
UNCALLED_UNIT = Dropped("the first unit of the coarsest level, which the released code never calls")
UNREAD = {
    "encoder_backbone.": Dropped("a PVT-v2 that the released model holds and never runs"),
    "conv": Dropped("dilated convolutions of AVSBench that the released model never calls"),
    "x": Dropped("linear layers to the widths of PVT-v2 that the released model never calls"),
}
UNREAD_DECODER = Dropped("decoders over time whose output the released code discards")
COPY = Dropped("a copy that a container of torch keeps of the layer it was built from")
UNREAD_ADAPTER = {
    "ln_before": Dropped("a norm on entry that the adapters of segmentation never call"),
    "temporal_gated.0": Dropped("a temporal gate of the adapters that the segmentation model never uses"),
}
UNREAD_MIXER = Dropped("a token mixer that the S4 model never calls: it resizes the guide")


def import_dg_sct_avs(model: nn.Module, weights: Weights) -> Imported:
    """Loads the released DG-SCT of S4 or MS3: both encoders, 48 adapters, pyramid, gates, TPAVI and decoder.

    Args:
        model: The system of `crossmodal.recipes.avs.dg_sct_s4` or `dg_sct_ms3` on `"swin_v2_l"` and `"htsat"`, or the
            same at another size. Which of the two a file is of follows from whether the model learns token mixers: the
            mixers of S4, which its code never calls, are dropped.
        weights: A file, or what else `read_weights` takes.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: With a table, if a tensor is missing, left over or of another shape; if `model` does not have two
            couplers for every released pair.
    """
    checkpoint = with_filter_note(read_weights(weights))
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_avs: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = dg_sct_avs_rule(checkpoint.tensors, coupled)
    return load_strict(model, checkpoint, rule, layout="DG-SCT as released for AVSBench", importer="import_dg_sct_avs")


def import_tpavi(model: nn.Module, weights: Weights) -> Imported:
    """Loads AVSBench's own model, its PVT-v2 included, into the system of `crossmodal.recipes.avs.tpavi`.

    Args:
        model: The system on `"pvt_v2_b5"`; VGGish is a file of its own (`audio_weights`).
        weights: A file, or what else `read_weights` takes.

    Raises:
        ValueError: As `import_dg_sct_avs`.
    """
    parts = nn.Module()  # the file holds no VGGish: what it fills is these two
    parts.head = model.get_submodule("head")
    parts.visual = model.get_submodule("coupled.encoders.visual")
    return load_strict(parts, read_weights(weights), tpavi_rule, layout="TPAVI as released", importer="import_tpavi")


def dg_sct_avs_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released DG-SCT for a model around `coupled`, from the names in the file."""
    names = list(names)
    adapters: dict[str, tuple[Rule | Dropped, str]] = {
        prefix: (segmentation_adapter_rule(coupled, ours.removeprefix("coupled.")), ours)
        for prefix, (_, ours) in adapter_rules("import_dg_sct_avs", names, coupled, "coupled.").items()
    }
    parts = {
        "swin.": (swin_v2_layout(without_prefix(names, "swin."))[1], "coupled.encoders.visual."),
        "htsat.": (htsat_rule(), "coupled.encoders.audio."),
        **adapters,
        "temporal_attn.": (level_gate_rule, "head.gates."),
    }
    return first_of(prefix_rules(parts), segmentation_head_rule, unread_rule)


def segmentation_adapter_rule(coupled: Lockstep, prefix: str) -> Rule:
    """Builds the rule of one adapter: with or without a gate, with a token mixer or with a resized guide."""
    adapter = coupled.get_submodule(prefix.removesuffix("."))
    gated = hasattr(adapter.get_submodule("bottleneck.finish"), "gate")
    mixes = hasattr(adapter.get_submodule("align"), "mix")

    def rule(name: str, tensor: Tensor) -> Mapped:
        module, _, leaf = name.rpartition(".")
        if module in UNREAD_ADAPTER:
            return UNREAD_ADAPTER[module]
        if module == "conv_adapter" and not mixes:
            return UNREAD_MIXER
        if module == "ln_post" and not gated:
            return {f"bottleneck.finish.{leaf}": tensor}
        return adapter_rule(name, tensor)

    return rule


def tpavi_block_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of one level's attention to the sound; 1×1×1 convolutions become matrices."""
    return rename_rule(TPAVI_NAMES)(name, as_matrix(tensor))


def segmentation_head_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of what stands behind the encoders in all released models, save the dilated convolutions."""
    if match := LEVEL.fullmatch(name):
        return add_prefix(tpavi_block_rule(match[2], tensor), f"head.interactions.{int(match[1]) - 1}.")
    if match := PATH.fullmatch(name):
        return _decoder_tensor(int(match[1]), match[2], f"{CONVS.get(match[3], '')}.{match[4]}", tensor)
    if match := LINEAR.fullmatch(name):
        return {f"head.levels.{int(match[1]) - 1}.project.{match[2]}": tensor}
    if name.startswith("output_conv."):
        return add_prefix(rename_rule(OUTPUT)(name.removeprefix("output_conv."), tensor), "head.decoder.")
    return rename_rule({"audio_linear": "head.project_audio"})(name, tensor)


def _decoder_tensor(level: int, unit: str, rest: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of a level of the decoder, counted from the finest; the fourth has one unit."""
    if level == 4:
        return {f"head.decoder.top.{rest}": tensor} if unit == "2" else UNCALLED_UNIT
    return {f"head.decoder.fusions.{3 - level}.{UNITS[unit]}.{rest}": tensor} if unit in UNITS else None


def level_gate_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the temporal blocks, one for each level."""
    if re.match(r"(audio|video)_decoder\.", name):
        return UNREAD_DECODER
    if match := re.fullmatch(r"v_fc\.(\d)\.(\w+)", name):
        return {f"visual_in.{match[1]}.0.{match[2]}": tensor}
    if match := RNN.fullmatch(name):
        return {f"{match[2]}_gates.{match[1]}.rnn.{match[3]}": tensor}
    if (match := GATE.fullmatch(name)) is None:
        return None
    ours = f"{'visual' if match[1] == 'video' else 'audio'}_gates.{match[3]}"
    if match[2] == "gated":
        return add_prefix(rename_rule({"0": "readout"})(match[4], tensor), f"{ours}.")
    if match[4].startswith("encoder_layer."):
        return COPY
    rest = match[4].replace("affine_matrix.", "project.").removeprefix("encoder.")
    return {f"{ours}.encoder.{rest}": tensor}


def dilated_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of AVSBench's dilated convolutions."""
    match = DILATED.fullmatch(name)
    return None if match is None else {f"head.levels.{int(match[1]) - 1}.convs.{match[2]}": tensor}


def unread_rule(name: str, tensor: Tensor) -> Mapped:
    """Drops what the released DG-SCT holds and no output depends on."""
    match = re.match(r"encoder_backbone\.|(conv)\d\.|(x)\d_linear\.", name)
    return None if match is None else UNREAD[match[1] or match[2] or match[0]]


tpavi_rule = first_of(
    dilated_rule,
    segmentation_head_rule,
    prefix_rules({"encoder_backbone.": (pvt_v2_rule, "visual.")}),
)
"""Rule of AVSBench's own model."""
