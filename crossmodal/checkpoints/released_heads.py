"""The names of the released AVE heads, as the names of ours."""

from collections.abc import Mapping

from torch import Tensor

TEMPORAL = {
    "v_fc": "visual_in.0",
    "a_fc": "audio_in",
    "audio_visual_rnn_layer.visual_rnn": "visual_rnn",
    "audio_visual_rnn_layer.audio_rnn": "audio_rnn",
    "video_gated.0": "visual_gate",
    "audio_gated.0": "audio_gate",
}
EVENTS = {
    "video_cas": "visual_activation",
    "audio_cas": "audio_activation",
    "localize_module.classifier": "relevance",
    "localize_module.event_classifier": "event",
}
UNUSED = ("AVInter.", "VAInter.", "video_norm.", "audio_norm.")
"""Parts of the released event head whose outputs are discarded."""


def from_released_temporal(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of `TemporalAttention` from that of the released module; `KeyError` on an unknown name."""
    names = dict(TEMPORAL)
    for theirs, ours in (("video", "visual"), ("audio", "audio")):
        names[f"{theirs}_encoder.affine_matrix"] = f"{ours}_encoder.project"
        names[f"{theirs}_decoder.affine_matrix"] = f"{ours}_decoder.project"
        for layer, part in ((layer, part) for layer in (0, 1) for part in ("linear1", "linear2", "norm1", "norm2")):
            names[f"{theirs}_encoder.encoder.layers.{layer}.{part}"] = f"{ours}_encoder.layers.{layer}.{part}"
        for layer in (0, 1):
            attention = f"encoder.layers.{layer}.self_attn"
            names[f"{theirs}_encoder.{attention}"] = f"{ours}_encoder.layers.{layer}.self_attn"
            names[f"{theirs}_encoder.{attention}.out_proj"] = f"{ours}_encoder.layers.{layer}.self_attn.out_proj"
        decoder = {
            "multihead_attn": "attention",
            "multihead_attn.out_proj": "attention.out_proj",
            "linear1": "feedforward.0",
            "linear2": "feedforward.3",
            "norm1": "attention_norm",
            "norm2": "feedforward_norm",
        }
        for part, mine in decoder.items():
            names[f"{theirs}_decoder.decoder.layers.0.{part}"] = f"{ours}_decoder.{mine}"
    # copies that torch's containers keep of the layer they were built from, and a self-attention never called
    unused = [
        f"{theirs}_{part}_layer" for theirs in ("video", "audio") for part in ("encoder.encoder", "decoder.decoder")
    ]
    unused += [f"{theirs}_decoder.decoder.layers.0.self_attn" for theirs in ("video", "audio")]
    return _renamed(released, names, tuple(f"{prefix}." for prefix in unused), "from_released_temporal")


def from_released_events(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of `EventHead` from that of the released module; `KeyError` on an unknown name."""
    return _renamed(released, EVENTS, UNUSED, "from_released_events")


def _renamed(
    released: Mapping[str, Tensor], names: Mapping[str, str], unused: tuple[str, ...], caller: str
) -> dict[str, Tensor]:
    ours = {}
    for name, tensor in released.items():
        module, _, leaf = name.rpartition(".")
        if name.startswith(unused):
            continue
        if module not in names:
            raise KeyError(f"{caller}: {name!r} is no parameter of the released module.")
        ours[f"{names[module]}.{leaf}"] = tensor
    return ours
