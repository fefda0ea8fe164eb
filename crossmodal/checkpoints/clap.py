"""Importer of CLAP weights, by LAION's names and by transformers'."""

import re
from collections.abc import Iterable

from torch import Tensor, nn

from .htsat import clap_rule, htsat_rule
from .load_strict import Imported, load_part
from .raw_checkpoint import Weights
from .rules import Dropped, Mapped, Rule, add_prefix, prefix_rules, rename_rule

BESIDE = Dropped("a part of CLAP beside this one")
RUNNING = Dropped("running numbers of positions and kinds")
TRANSFORM = Dropped("a transform that the scores do without")
OTHER_SCALE = Dropped("the scale of logits of texts for sounds; those of sounds for texts have their own")
OUTSIDE = {
    "embeddings.word_embeddings": "tokens",
    "embeddings.position_embeddings": "positions",
    "embeddings.LayerNorm": "norm",
    "pooler.dense": "pooler.0",
}
HALVES = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "mlp.0",
    "output.dense": "mlp.3",
    "output.LayerNorm": "mlp_norm",
}
BLOCK = re.compile(r"encoder\.layer\.(\d+)\.(.+)")


def import_clap(model: nn.Module, weights: Weights) -> Imported:
    """Loads a released CLAP into `model`, as `clap_model` builds it at the same size.

    Two layouts are recognised by their names: LAION's, as `630k-audioset-fusion-best.pt` has it, and that of
    transformers' `ClapModel`. What a file has for the fusion of long sounds is dropped.

    Args:
        model: The model to fill.
        weights: A file, or what else `read_weights` takes.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: With a table, and `model` as it was, if a tensor is missing, left over, of another shape or not
            finite.
    """
    return load_part(model, weights, clap_layout, prefix="", others=BESIDE, importer="import_clap")


def import_clap_text(text: nn.Module, weights: Weights) -> Imported:
    """Loads the text tower of a released CLAP, with its projection, into a `RobertaText`; see `import_clap`."""
    return load_part(text, weights, clap_layout, prefix="text.", others=BESIDE, importer="import_clap_text")


def clap_layout(names: Iterable[str]) -> tuple[str, Rule]:
    """Recognises the layout of a checkpoint by its names; returns the layout's title and its rule."""
    scales: dict[str, tuple[Rule | Dropped, str]] = {
        "logit_scale_a": (rename_rule({"": "log_scale"}), ""),
        "logit_scale_t": (OTHER_SCALE, ""),
    }
    if any(name.startswith(("text_branch.", "audio_branch.")) for name in names):
        layers = rename_rule({"0": "projection.0", "2": "projection.2"})
        return "CLAP as LAION names it", prefix_rules(
            {
                "text_branch.": (roberta_rule, "text."),
                "audio_branch.": (htsat_rule(), "tower.encoder."),
                "text_projection.": (layers, "text."),
                "audio_projection.": (layers, "tower."),
                "text_transform.": (TRANSFORM, ""),
                "audio_transform.": (TRANSFORM, ""),
                **scales,
            }
        )
    layers = rename_rule({"linear1": "projection.0", "linear2": "projection.2"})
    return "CLAP as transformers names it", prefix_rules(
        {
            "text_model.": (roberta_rule, "text."),
            "audio_model.": (prefix_rules({"audio_encoder.": (clap_rule(), "")}), "tower.encoder."),
            "text_projection.": (layers, "text."),
            "audio_projection.": (layers, "tower."),
            **scales,
        }
    )


def roberta_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of transformers' RoBERTa."""
    if name in ("embeddings.position_ids", "embeddings.token_type_ids"):
        return RUNNING
    if name == "embeddings.token_type_embeddings.weight":
        return {"kind": tensor.squeeze(0)}  # a table of one row
    if match := BLOCK.fullmatch(name):
        return add_prefix(rename_rule(HALVES)(match[2], tensor), f"blocks.{match[1]}.")
    return rename_rule(OUTSIDE)(name, tensor)
