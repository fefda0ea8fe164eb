"""Key mappings of single released modules of DG-SCT and LAVisH: adapter, temporal attention, event head."""

from collections.abc import Mapping

from torch import Tensor

from .rules import Dropped, Mapped, as_matrix, map_state, rename_rule

ADAPTER = {
    "conv_adapter": "align.mix",
    "fc": "align.project",
    "my_tokens": "latents.tokens",
    "gate_av": "latents.gate",
    "fc_affine_audio_1": "modulation.channel.cue_proj",
    "fc_affine_video_1": "modulation.channel.stream_proj",
    "fc_affine_bottleneck": "modulation.channel.squeeze",
    "fc_affine_v_c_att": "modulation.channel.excite",
    "fc_affine_audio_2": "modulation.spatial.cue_proj",
    "fc_affine_video_2": "modulation.spatial.stream_proj",
    "fc_affine_v_s_att": "modulation.spatial.readout",
    "temporal_gated.0": "modulation.temporal.readout",
    "ln_before": "bottleneck.before",
    "down_sampler": "bottleneck.down",
    "bn1": "bottleneck.down_norm",
    "up_sampler": "bottleneck.up",
    "bn2": "bottleneck.up_norm",
    "ln_post": "bottleneck.finish.norm",
    "gate": "bottleneck.finish.gate.scale",
}
"""Released name → ours. There, “audio” means the guide and “video” the stream, in audio adapters too (spec A.4)."""

ADAPTER_UNUSED = ("gate_tk", "fc_caption")
"""Parameters of the released adapters that their code never uses."""

TEMPORAL = {
    "v_fc": "visual_in.0",
    "a_fc": "audio_in",
    "audio_visual_rnn_layer.visual_rnn": "visual_rnn",
    "audio_visual_rnn_layer.audio_rnn": "audio_rnn",
    "video_gated.0": "visual_gate",
    "audio_gated.0": "audio_gate",
}
DECODER_LAYER = {
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
TEMPORAL_COPIES = tuple(
    f"{side}_{part}_layer." for side in ("video", "audio") for part in ("encoder.encoder", "decoder.decoder")
)
TEMPORAL_UNCALLED = tuple(f"{side}_decoder.decoder.layers.0.self_attn." for side in ("video", "audio"))
EVENTS_DISCARDED = ("AVInter.", "VAInter.")
EVENTS_UNUSED = ("video_norm.", "audio_norm.")


def adapter_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of one adapter with norms; 1×1 convolutions become matrices."""
    if name in ADAPTER_UNUSED or name.rpartition(".")[0] in ADAPTER_UNUSED:
        return Dropped("a parameter of the released adapters that their code never uses")
    return rename_rule(ADAPTER)(name, as_matrix(tensor))


def temporal_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the released temporal attention."""
    if name.startswith(TEMPORAL_COPIES):
        return Dropped("a copy that a container of torch keeps of the layer it was built from")
    if name.startswith(TEMPORAL_UNCALLED):
        return Dropped("a self-attention of the decoders that the released code never calls")
    return rename_rule(_temporal_names())(name, tensor)


def event_rule(name: str, tensor: Tensor) -> Mapped:
    """Maps a tensor of the released event head."""
    if name.startswith(EVENTS_DISCARDED):
        return Dropped("a cross-modal interaction of CMBS whose output the released code discards")
    if name.startswith(EVENTS_UNUSED):
        return Dropped("a norm of CMBS that the released code never calls")
    return rename_rule(EVENTS)(name, tensor)


def from_released_adapter(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the state of one released adapter to that of a `GuidedAdapter`; 1×1 convolutions become matrices.

    Args:
        released: The state of the released module. One without norms keeps its gate at `bottleneck.finish.scale`.

    Raises:
        KeyError: If a name is unknown.
    """
    state = map_state(released, adapter_rule, "from_released_adapter", "a released DG-SCT adapter")
    # without a norm after it, the gate itself is the finish
    if "bottleneck.finish.norm.weight" not in state and "bottleneck.finish.gate.scale" in state:
        state["bottleneck.finish.scale"] = state.pop("bottleneck.finish.gate.scale")
    return state


def from_released_temporal(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the state of the released temporal attention to that of `TemporalAttention`.

    Args:
        released: The state of the released module.

    Raises:
        KeyError: If a name is unknown.
    """
    return map_state(released, temporal_rule, "from_released_temporal", "the released module")


def from_released_events(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the state of the released event head to that of `EventHead`.

    Args:
        released: The state of the released module.

    Raises:
        KeyError: If a name is unknown.
    """
    return map_state(released, event_rule, "from_released_events", "the released module")


def _temporal_names() -> dict[str, str]:
    """Returns released name → ours for both encoders and decoders of the temporal attention."""
    names = dict(TEMPORAL)
    for theirs, ours in (("video", "visual"), ("audio", "audio")):
        names[f"{theirs}_encoder.affine_matrix"] = f"{ours}_encoder.project"
        names[f"{theirs}_decoder.affine_matrix"] = f"{ours}_decoder.project"
        parts = ("linear1", "linear2", "norm1", "norm2", "self_attn", "self_attn.out_proj")
        for layer, part in ((layer, part) for layer in (0, 1) for part in parts):
            names[f"{theirs}_encoder.encoder.layers.{layer}.{part}"] = f"{ours}_encoder.layers.{layer}.{part}"
        for part, mine in DECODER_LAYER.items():
            names[f"{theirs}_decoder.decoder.layers.0.{part}"] = f"{ours}_decoder.{mine}"
    return names
