"""Slow and obvious: weights of other implementations of Swin-V2 and HTS-AT, under the keys of our encoders."""

from collections.abc import Mapping

from torch import Tensor

Weights = Mapping[str, Tensor]

NORM_AND_MLP = {
    "norm1": "attention.norm",
    "norm2": "mlp.norm",
    "mlp.fc1": "mlp.body.0",
    "mlp.fc2": "mlp.body.3",
}


def _rename(key: str, names: Mapping[str, str]) -> str | None:
    """`key` with its module renamed, where `names` knows it."""
    for theirs, ours in names.items():
        if key.startswith(theirs + ".") or key == theirs:
            return ours + key.removeprefix(theirs)
    return None


def from_timm_swin_v2(theirs: Weights) -> dict[str, Tensor]:
    """A timm `SwinTransformerV2` (≥ 0.9: merging *before* the stage it leads to), without head and buffers."""
    ours: dict[str, Tensor] = {}
    names = NORM_AND_MLP | {
        "attn.logit_scale": "attention.body.log_scale",
        "attn.cpb_mlp": "attention.body.position.mlp",
        "attn.q_bias": "attention.body.query.bias",
        "attn.v_bias": "attention.body.value.bias",
        "attn.proj": "attention.body.out",
    }
    for key, value in theirs.items():
        if key.startswith("patch_embed."):
            ours[key.replace("patch_embed", "stem")] = value
        elif key.startswith("norm."):
            ours[key.replace("norm", "head")] = value
        elif ".downsample." in key:
            _, stage, _, rest = key.split(".", 3)
            ours[f"sections.stages{int(stage) - 1}_merge.merging.{rest}"] = value
        elif ".blocks." in key:
            _, stage, _, block, rest = key.split(".", 4)
            prefix = f"sections.stages{stage}_{block}_"
            if rest == "attn.qkv.weight":
                for name, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                    ours[f"{prefix}attention.body.{name}.weight"] = part
            elif rest == "attn.logit_scale":
                ours[f"{prefix}attention.body.log_scale"] = value.flatten(1)
            elif renamed := _rename(rest, names):
                ours[prefix + renamed] = value
    return ours


def from_transformers_clap(theirs: Weights) -> dict[str, Tensor]:
    """The `audio_encoder` of a transformers `ClapAudioModel` without fusion."""
    ours: dict[str, Tensor] = {}
    names = {
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
    for key, value in theirs.items():
        if key.startswith("patch_embed."):
            ours[key.replace("patch_embed", "stem.patches")] = value
        elif key.startswith("batch_norm."):
            ours[key.replace("batch_norm", "stem.norm")] = value
        elif key.startswith("norm."):
            ours[key.replace("norm", "head")] = value
        elif ".downsample." in key:
            _, stage, _, rest = key.split(".", 3)
            ours[f"sections.stages{stage}_merge.merging.{rest}"] = value
        elif ".blocks." in key:
            _, stage, _, block, rest = key.split(".", 4)
            if renamed := _rename(rest, names):
                ours[f"sections.stages{stage}_{block}_{renamed}"] = value
    return ours
