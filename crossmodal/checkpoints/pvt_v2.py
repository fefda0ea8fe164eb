"""Importer of PVT-v2 weights, as its authors and AVSBench name them, and as timm 1.x does."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .rules import CLASSIFIER, Mapped, rename_rule

INSIDE = {
    "norm1": "attention.norm",
    "norm2": "mlp.norm",
    "attn.q": "attention.body.query",
    "attn.kv": "attention.body.key_value",
    "attn.proj": "attention.body.out",
    "attn.sr": "attention.body.reduce",
    "attn.norm": "attention.body.norm",
    "mlp.fc1": "mlp.body.widen",
    "mlp.dwconv": "mlp.body.depthwise",
    "mlp.fc2": "mlp.body.narrow",
}
BLOCK = re.compile(r"stages\.(\d+)\.blocks\.(\d+)\.(.+)")
MERGE = re.compile(r"stages\.(\d+)\.downsample\.(.+)")
NORM = re.compile(r"stages\.(\d+)\.norm\.(\w+)")
RENAMES: Mapping[str, str] = {
    r"^patch_embed1\.": "patch_embed.",
    r"^patch_embed(\d)\.": "stages.{}.downsample.",
    r"^block(\d)\.(\d+)\.": "stages.{}.blocks.\\2.",
    r"^norm(\d)\.": "stages.{}.norm.",
}
"""Names of the authors → those of timm 1.x; `{}` is the stage, counted from 0 there."""
LAST = 3
"""Stage whose norm is the head of the encoder."""


def import_pvt_v2(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads a released PVT-v2 of four stages into `encoder`, as `crossmodal.encoders.pvt_v2` builds it.

    Args:
        encoder: The encoder to fill.
        weights: A file by the names of its authors (`pvt_v2_b5.pth`) or of timm 1.x, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, and `encoder` as it was, if a tensor is missing, left over or of another shape.
    """
    return load_strict(encoder, read_weights(weights), pvt_v2_rule, layout="PVT-v2", importer="import_pvt_v2")


def pvt_v2_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of PVT-v2, by the names of its authors or of timm."""
    if name.startswith("head."):
        return CLASSIFIER
    name = timm_name(name)
    if match := BLOCK.fullmatch(name):
        mapped = rename_rule(INSIDE)(match[3], tensor)
        section = f"sections.stages{match[1]}_{match[2]}_"
        return {section + ours: part for ours, part in mapped.items()} if isinstance(mapped, Mapping) else None
    if match := MERGE.fullmatch(name):
        return {f"sections.stages{int(match[1]) - 1}_merge.patches.{match[2]}": tensor}
    if match := NORM.fullmatch(name):
        stage = int(match[1])
        return {f"head.{match[2]}" if stage == LAST else f"sections.stages{stage}_norm.{match[2]}": tensor}
    return {f"stem.{name.removeprefix('patch_embed.')}": tensor} if name.startswith("patch_embed.") else None


def timm_name(name: str) -> str:
    """Returns the name of timm 1.x for one of the authors'; a name of timm is returned as it is."""
    for pattern, theirs in RENAMES.items():
        if match := re.match(pattern, name):
            stage = int(match[1]) - 1 if match.groups() else 0
            name = match.expand(theirs.format(stage)) + name[match.end() :]
            break
    return name.replace("dwconv.dwconv.", "dwconv.")
