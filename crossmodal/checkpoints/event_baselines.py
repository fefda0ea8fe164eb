"""Importers of the event baselines' checkpoints: AVEL, AVSDN as CPSP re-implemented it, CMRAN and CMBS.

CMRAN and CMBS are released as states in float64, their names after `module.`. AVEL's `.pt` files are pickled modules of
torch 0.3: `python -m crossmodal.checkpoints.unpickle` makes tensors of what they hold, where you trust it.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .released_modules import EVENTS, encoding_names, unread_encoding
from .rules import Dropped, Mapped, as_matrix, rename_rule

ATTENTION = {
    "lstm_audio": "sequences.audio",
    "lstm_video": "sequences.visual",
    "affine_audio": "attention.cue_proj",
    "affine_video": "attention.stream_proj",
    "affine_v": "attention.stream_units",
    "affine_g": "attention.cue_units",
    "affine_h": "attention.readout",
}
AVEL_NAMES = {**ATTENTION, "L1": "head.1", "L2": "head.3"}
AVSDN_NAMES = {
    **ATTENTION,
    "lstm_a_v": "decoder",
    "U_a.0": "fusion.audio_residual.0",
    "U_a.2": "fusion.audio_residual.2",
    "U_v.0": "fusion.visual_residual.0",
    "U_v.2": "fusion.visual_residual.2",
    "event_classifier.0": "relevance",
    "category_classifier.0": "event",
}
POOLING = {
    "affine_video_1": "channel.stream_proj",
    "affine_audio_1": "channel.cue_proj",
    "affine_bottleneck": "channel.squeeze",
    "affine_v_c_att": "channel.excite",
    "affine_video_2": "spatial.stream_proj",
    "affine_audio_2": "spatial.cue_proj",
    "affine_v_s_att": "spatial.readout",
}
OWN_POOLING = {
    "video_query": "attention.query",
    "video_key": "attention.key",
    "video_value": "attention.value",
    "norm": "attention.norm",
    "affine_video_3": "own.stream_proj",
    "affine_video_ave": "own.cue_proj",
    "ave_v_att": "own.readout",
}
ATTENDED = {
    "video_multihead": "attention",
    "video_multihead.out_proj": "attention.out_proj",
    "norm1": "norm",
}
POOLED = "spatial_channel_att."
CMRAN_NAMES = {
    **encoding_names("encoding."),
    "v_fc": "visual_in.0",
    "localize_module.classifier": "relevance",
    "localize_module.event_classifier": "event",
    **{POOLED + theirs: f"pooling.{ours}" for theirs, ours in POOLING.items()},
    **{f"AVInter.{theirs}": f"interaction.{ours}" for theirs, ours in ATTENDED.items()},
}
CMBS_NAMES = {
    **encoding_names("encoding."),
    **EVENTS,
    "v_fc": "visual_in.0",
    "audio_visual_rnn_layer.visual_rnn": "sequences.visual",
    "audio_visual_rnn_layer.audio_rnn": "sequences.audio",
    "video_gated.0": "gates.visual_gate",
    "audio_gated.0": "gates.audio_gate",
    "CAS_model.classifier.0": "event",
    **{POOLED + theirs: f"pooling.guided.{ours}" for theirs, ours in POOLING.items()},
    **{POOLED + theirs: f"pooling.{ours}" for theirs, ours in OWN_POOLING.items()},
    **{f"AVInter.{theirs}": f"interaction.visual.{ours}" for theirs, ours in ATTENDED.items()},
    **{f"VAInter.{theirs}": f"interaction.audio.{ours}" for theirs, ours in ATTENDED.items()},
}
WEAK_CMBS_NAMES = {**CMBS_NAMES, "video_gated.0": "gates.audio_gate", "audio_gated.0": "gates.visual_gate"}
"""In the weak form, the layer named after one modality reads the keys of the other."""

WEAK_CMBS_MARK = "CAS_model.classifier.0.weight"
UNREAD = (
    f"{POOLED}affine_video_guided_",
    f"{POOLED}ave_bottleneck.",
    "video_norm.",
    "audio_norm.",
    "classifier.",
)
"""Prefixes of parameters of CMRAN and CMBS that their code never reads."""


def import_avel(system: nn.Module, weights: Weights) -> Imported:
    """Loads AVEL with attention, supervised or weak, into what `crossmodal.recipes.ave.avel` builds for its features.

    Args:
        system: The system to fill.
        weights: A file, or what else `read_weights` takes.

    Raises:
        ValueError: With a table, and `system` as it was, if a tensor is missing, left over or of another shape.
    """
    return _loaded(system, weights, AVEL_NAMES, "AVEL", "import_avel")


def import_avsdn(system: nn.Module, weights: Weights) -> Imported:
    """Loads CPSP's AVSDN into what `crossmodal.recipes.ave.avsdn` or `avsdn_weak` builds; else as `import_avel`.

    Args:
        system: The system to fill.
        weights: A file, or what else `read_weights` takes.
    """
    return _loaded(system, weights, AVSDN_NAMES, "CPSP's AVSDN", "import_avsdn")


def import_cmran(system: nn.Module, weights: Weights) -> Imported:
    """Loads CMRAN into what `crossmodal.recipes.ave.cmran` or `cmran_weak` builds; otherwise as `import_avel`.

    Args:
        system: The system to fill.
        weights: A file, or what else `read_weights` takes.
    """
    return _loaded(system, weights, CMRAN_NAMES, "CMRAN", "import_cmran")


def import_cmbs(system: nn.Module, weights: Weights) -> Imported:
    """Loads CMBS into what `crossmodal.recipes.ave.cmbs` or `cmbs_weak` builds; otherwise as `import_avel`.

    Args:
        system: The system to fill.
        weights: A file, or what else `read_weights` takes.
    """
    checkpoint = read_weights(weights)
    weak = WEAK_CMBS_MARK in checkpoint.tensors
    return _loaded(system, checkpoint, WEAK_CMBS_NAMES if weak else CMBS_NAMES, "CMBS", "import_cmbs")


def _loaded(system: nn.Module, weights: Weights, names: Mapping[str, str], layout: str, importer: str) -> Imported:
    """Loads a checkpoint by a table of names."""
    renamed = rename_rule(names)

    def rule(name: str, tensor: Tensor) -> Mapped:
        if name.startswith(UNREAD):
            return Dropped("a parameter that the released code never reads")
        return unread_encoding(name) or renamed(name, as_matrix(tensor))

    return load_strict(system, read_weights(weights), rule, layout=layout, importer=importer)
