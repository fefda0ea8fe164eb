"""Importer of CLIP weights, by OpenAI's names and by transformers'."""

import re
from collections.abc import Iterable
from functools import partial

from torch import Tensor, nn

from .load_strict import Imported, load_part
from .raw_checkpoint import Weights
from .rules import Dropped, Mapped, Rule, rename_rule, split_qkv

BESIDE = Dropped("a part of CLIP beside this one")
SIZES = Dropped("a size that the names of tensors tell, too")
POSITION_IDS = Dropped("the running numbers of positions")
OPENAI_HALVES = {
    "attn.out_proj": "attention.out",
    "ln_1": "attention_norm",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "mlp.0",
    "mlp.c_proj": "mlp.3",
}
HALVES = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "layer_norm1": "attention_norm",
    "layer_norm2": "mlp_norm",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}
SECTIONS = {
    "attention_norm": "attention.norm",
    "attention": "attention.body",
    "mlp_norm": "mlp.norm",
    "mlp": "mlp.body",
}
"""Module of a block of the text tower → the same in the two sections of a block of the image tower."""
STEM, HEAD = "tower.encoder.stem", "tower.encoder.head"
OPENAI = {
    "visual.class_embedding": f"{STEM}.class_token",
    "visual.positional_embedding": f"{STEM}.positions",
    "visual.conv1": f"{STEM}.patches",
    "visual.ln_pre": f"{STEM}.norm",
    "visual.ln_post": HEAD,
    "token_embedding": "text.tokens",
    "positional_embedding": "text.positions",
    "ln_final": "text.norm",
    "logit_scale": "log_scale",
}
TRANSFORMERS = {
    "vision_model.embeddings.class_embedding": f"{STEM}.class_token",
    "vision_model.embeddings.position_embedding.weight": f"{STEM}.positions",
    "vision_model.embeddings.patch_embedding": f"{STEM}.patches",
    "vision_model.pre_layrnorm": f"{STEM}.norm",  # so spelt there
    "vision_model.post_layernorm": HEAD,
    "visual_projection": "tower.projection",
    "text_model.embeddings.token_embedding": "text.tokens",
    "text_model.embeddings.position_embedding.weight": "text.positions",
    "text_model.final_layer_norm": "text.norm",
    "text_projection": "text.projection",
    "logit_scale": "log_scale",
}
TRANSPOSED = {"visual.proj": "tower.projection.weight", "text_projection": "text.projection.weight"}
OPENAI_BLOCK = re.compile(r"(visual\.|)transformer\.resblocks\.(\d+)\.(.+)")
BLOCK = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)")


def import_clip(model: nn.Module, weights: Weights) -> Imported:
    """Loads a released CLIP into `model`, as `clip_model` builds it at the same size.

    Two layouts are recognised by their names: OpenAI's, which LAION's OpenCLIP shares, and that of transformers'
    `CLIPModel`. A file without pickle is needed: OpenAI's own downloads are TorchScript archives, which run code.

    Args:
        model: The model to fill.
        weights: A file, or what else `read_weights` takes.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: With a table, and `model` as it was, if a tensor is missing, left over, of another shape or not
            finite.
    """
    return load_part(model, weights, clip_layout, prefix="", others=BESIDE, importer="import_clip")


def import_clip_image(encoder: nn.Module, weights: Weights) -> Imported:
    """Loads the image tower of a released CLIP into `encoder`, as `clip_image` builds it; see `import_clip`."""
    return load_part(
        encoder, weights, clip_layout, prefix="tower.encoder.", others=BESIDE, importer="import_clip_image"
    )


def import_clip_text(text: nn.Module, weights: Weights) -> Imported:
    """Loads the text tower of a released CLIP into `text`, a `ClipText`; see `import_clip`."""
    return load_part(text, weights, clip_layout, prefix="text.", others=BESIDE, importer="import_clip_text")


def clip_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Recognises the layout of a checkpoint by its names; returns the layout's title and its rule."""
    if any(name.startswith(("vision_model.", "text_model.")) for name in names):
        return "CLIP as transformers names it", transformers_rule
    return "CLIP as OpenAI names it", openai_rule


def openai_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of OpenAI's CLIP."""
    if name in ("input_resolution", "context_length", "vocab_size", "attn_mask"):
        return SIZES
    if name in TRANSPOSED:
        return {TRANSPOSED[name]: tensor.mT if tensor.dim() == 2 else tensor}
    if match := OPENAI_BLOCK.fullmatch(name):
        fused = re.fullmatch(r"attn\.in_proj_(weight|bias)", match[3])
        mapped = split_qkv(tensor, "attention", fused[1]) if fused else rename_rule(OPENAI_HALVES)(match[3], tensor)
        return _placed(mapped, int(match[2]), image=bool(match[1]))
    return rename_rule(OPENAI)(name, tensor)


def transformers_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of transformers' CLIP."""
    if name.endswith("embeddings.position_ids"):
        return POSITION_IDS
    if match := BLOCK.fullmatch(name):
        return _placed(rename_rule(HALVES)(match[3], tensor), int(match[2]), image=match[1] == "vision")
    return rename_rule(TRANSFORMERS)(name, tensor)


def _placed(mapped: Mapped, block: int, *, image: bool) -> Mapped:
    """Names the tensors of a block as the tower in which it stands does."""
    if mapped is None or isinstance(mapped, Dropped):
        return mapped
    placed = partial(_in_sections, block) if image else f"text.blocks.{block}.{{}}".format
    return {placed(name): tensor for name, tensor in mapped.items()}


def _in_sections(block: int, name: str) -> str:
    module, _, rest = name.partition(".")
    return f"tower.encoder.sections.stages0_{block}_{SECTIONS[module]}.{rest}"
