"""Swin-V2 weights, as timm names them, then and now, and as its authors do."""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from .imported import Imported, bring
from .reading import Weights, read_weights
from .rules import CLASSIFIER, INDEX, MASK, Dropped, Placed, Rule, flat, hierarchy_rule, renamed, thirds

OUTSIDE = {"patch_embed.proj": "stem.proj", "patch_embed.norm": "stem.norm", "norm": "head"}
HALVES = {
    "norm1": "attention.norm",
    "norm2": "mlp.norm",
    "mlp.fc1": "mlp.body.0",
    "mlp.fc2": "mlp.body.3",
    "attn.q_bias": "attention.body.query.bias",
    "attn.v_bias": "attention.body.value.bias",
    "attn.cpb_mlp.0": "attention.body.position.mlp.0",
    "attn.cpb_mlp.2": "attention.body.position.mlp.2",
    "attn.proj": "attention.body.out",
}
BUFFERS = {
    "attn_mask": MASK,
    "attn.relative_position_index": INDEX,
    "attn.relative_coords_table": Dropped("the coordinates of relative positions, computed here"),
    "attn.k_bias": Dropped("a bias of keys, which is always zero"),
}


def import_swin_v2(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads a released Swin-V2 into `encoder`, as `swin_v2` builds it at the same size.

    - `weights`: as `read_weights` takes them; `"timm"` is the large one from the hub.

    Three namings are told apart by their names. timm before 0.9 and Microsoft's own files merge at the end of a stage,
    and hold buffers besides: the masks of shifted windows, in Microsoft's also coordinates and indices of relative
    positions. timm since 0.9 merges at the start of the next stage. In the values nothing differs. A window of another
    size changes no parameter's shape, so what the weights were trained with cannot be seen from names and shapes: give
    the encoder the window of the file.

    Returns what became of every tensor. Raises `ValueError` with a table, and leaves `encoder` as it was, where a
    tensor is missing, left over, of another shape, or not finite.
    """
    found = read_weights(weights)
    layout, rule = swin_v2_layout(found.tensors)
    return bring(encoder, found, rule, layout=layout, importer="import_swin_v2")


def swin_v2_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Whose names these are, and their rule."""
    names = set(names)
    dropped = {"head.": CLASSIFIER}
    if any(re.fullmatch(r"layers\.\d+\.blocks\.\d+\.attn\.relative_coords_table", name) for name in names):
        return "Swin-V2 as Microsoft names it", hierarchy_rule(swin_v2_block, OUTSIDE, dropped)
    if any(name.startswith("layers.0.downsample.") or name.endswith(".attn_mask") for name in names):
        return "Swin-V2 as timm named it before 0.9", hierarchy_rule(swin_v2_block, OUTSIDE, dropped)
    return "Swin-V2 as timm names it since 0.9", hierarchy_rule(swin_v2_block, OUTSIDE, dropped, earlier=1)


def swin_v2_block(name: str, tensor: Tensor) -> Placed:
    """The rule of one block."""
    if name in BUFFERS:
        return BUFFERS[name]
    if name == "attn.qkv.weight":
        return thirds(tensor, "attention.body", "weight")
    if name == "attn.logit_scale":
        return {"attention.body.log_scale": flat(tensor)}
    return renamed(HALVES)(name, tensor)
