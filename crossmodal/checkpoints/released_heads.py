"""The names of the released AVE heads, as the names of ours."""

from collections.abc import Mapping

from torch import Tensor

from .rules import Dropped, Placed, only_ours, renamed

TEMPORAL = {
    "v_fc": "visual_in.0",
    "a_fc": "audio_in",
    "audio_visual_rnn_layer.visual_rnn": "visual_rnn",
    "audio_visual_rnn_layer.audio_rnn": "audio_rnn",
    "video_gated.0": "visual_gate",
    "audio_gated.0": "audio_gate",
}
DECODER = {
    "multihead_attn": "attention",
    "multihead_attn.out_proj": "attention.out_proj",
    "linear1": "feedforward.0",
    "linear2": "feedforward.3",
    "norm1": "attention_norm",
    "norm2": "feedforward_norm",
}
EVENTS = {
    "video_cas": "visual_activation",
    "audio_cas": "audio_activation",
    "localize_module.classifier": "relevance",
    "localize_module.event_classifier": "event",
}
COPIES = tuple(
    f"{side}_{part}_layer." for side in ("video", "audio") for part in ("encoder.encoder", "decoder.decoder")
)
UNCALLED = tuple(f"{side}_decoder.decoder.layers.0.self_attn." for side in ("video", "audio"))
DISCARDED = ("AVInter.", "VAInter.")
UNUSED = ("video_norm.", "audio_norm.")


def temporal_rule(name: str, tensor: Tensor) -> Placed:
    """The rule of the released temporal attention."""
    if name.startswith(COPIES):
        return Dropped("a copy that a container of torch keeps of the layer it was built from")
    if name.startswith(UNCALLED):
        return Dropped("a self-attention of the decoders that the released code never calls")
    return renamed(_temporal_names())(name, tensor)


def event_rule(name: str, tensor: Tensor) -> Placed:
    """The rule of the released event head."""
    if name.startswith(DISCARDED):
        return Dropped("a cross-modal interaction of CMBS whose output the released code discards")
    if name.startswith(UNUSED):
        return Dropped("a norm of CMBS that the released code never calls")
    return renamed(EVENTS)(name, tensor)


def from_released_temporal(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of `TemporalAttention` from that of the released module; `KeyError` on an unknown name."""
    return only_ours(released, temporal_rule, "from_released_temporal", "the released module")


def from_released_events(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of `EventHead` from that of the released module; `KeyError` on an unknown name."""
    return only_ours(released, event_rule, "from_released_events", "the released module")


def _temporal_names() -> dict[str, str]:
    names = dict(TEMPORAL)
    for theirs, ours in (("video", "visual"), ("audio", "audio")):
        names[f"{theirs}_encoder.affine_matrix"] = f"{ours}_encoder.project"
        names[f"{theirs}_decoder.affine_matrix"] = f"{ours}_decoder.project"
        parts = ("linear1", "linear2", "norm1", "norm2", "self_attn", "self_attn.out_proj")
        for layer, part in ((layer, part) for layer in (0, 1) for part in parts):
            names[f"{theirs}_encoder.encoder.layers.{layer}.{part}"] = f"{ours}_encoder.layers.{layer}.{part}"
        for part, mine in DECODER.items():
            names[f"{theirs}_decoder.decoder.layers.0.{part}"] = f"{ours}_decoder.{mine}"
    return names
