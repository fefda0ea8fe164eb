"""Importer of Swin-V2 weights, as timm names them, before and since 0.9, and as its authors do."""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from .load_strict import Imported, load_strict
from .raw_checkpoint import RawCheckpoint, Weights, read_weights
from .rules import CLASSIFIER, Dropped, Mapped, Rule, as_matrix, hierarchy_rule, rename_rule, split_qkv
from .window_tables import COORDINATES, INDEX, MASK, check_pretrained_window

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
TABLE = "attn.relative_coords_table"
BUFFERS = {
    "attn_mask": MASK,
    "attn.relative_position_index": INDEX,
    TABLE: COORDINATES,
    "attn.k_bias": Dropped("a bias of keys, which is always zero"),
}


def import_swin_v2(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads a released Swin-V2 into `encoder`, as `swin_v2` builds it at the same size.

    Three layouts are recognised by their names. timm before 0.9 and Microsoft's own files merge at the end of a stage
    and contain buffers: the masks of shifted windows, in Microsoft's also coordinates and indices of relative
    positions. timm since 0.9 merges at the start of the next stage. The values are the same.

    A window of another size changes no parameter's shape. Microsoft's tables say which window the weights were trained
    with first, and the encoder is set to it; a name such as `…window12to16_192to256…` is compared with the encoder's
    `pretrained_windows`; where neither is there, a note says what was assumed.

    Args:
        encoder: The encoder to fill.
        weights: A file, or what else `read_weights` takes; `"timm"` is the large one from the hub.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: With a table, and `encoder` as it was, if a tensor is missing, left over, of another shape or not
            finite, or if the encoder was built for weights trained with another window first.
    """
    checkpoint = with_window_note(encoder, read_weights(weights), "import_swin_v2")
    layout, rule = swin_v2_layout(checkpoint.tensors)
    return load_strict(encoder, checkpoint, rule, layout=layout, importer="import_swin_v2")


def with_window_note(module: nn.Module, checkpoint: RawCheckpoint, importer: str) -> RawCheckpoint:
    """Adds a note where nothing says which window the weights were trained with first; refuses another one."""
    tables = [name for name in checkpoint.tensors if name.endswith(TABLE)]
    notes = check_pretrained_window(module, checkpoint.source, tables, importer)
    return checkpoint._replace(notes=(*checkpoint.notes, *notes))


def swin_v2_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Recognises the layout of a checkpoint by its names; returns the layout's title and its rule."""
    names = set(names)
    dropped = {"head.": CLASSIFIER}
    if any(re.fullmatch(r"layers\.\d+\.blocks\.\d+\.attn\.relative_coords_table", name) for name in names):
        return "Swin-V2 as Microsoft names it", hierarchy_rule(swin_v2_block, OUTSIDE, dropped)
    if any(name.startswith("layers.0.downsample.") or name.endswith(".attn_mask") for name in names):
        return "Swin-V2 as timm named it before 0.9", hierarchy_rule(swin_v2_block, OUTSIDE, dropped)
    return "Swin-V2 as timm names it since 0.9", hierarchy_rule(swin_v2_block, OUTSIDE, dropped, merge_offset=1)


def swin_v2_block(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of one block."""
    if name in BUFFERS:
        return BUFFERS[name]
    if name == "attn.qkv.weight":
        return split_qkv(tensor, "attention.body", "weight")
    if name == "attn.logit_scale":
        return {"attention.body.log_scale": as_matrix(tensor)}
    return rename_rule(HALVES)(name, tensor)
