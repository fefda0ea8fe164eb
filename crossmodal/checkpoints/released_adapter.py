"""The names of the released DG-SCT adapter, as the names of ours."""

from collections.abc import Mapping

from torch import Tensor

NAMES = {
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
"""Released name → ours. “audio” and “video” there mean guide and stream, in the sound-side modules too (spec A.4)."""

UNUSED = ("gate_tk", "fc_caption")
"""Parameters that the released modules hold and never use."""


def from_released_adapter(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `GuidedAdapter` from that of one released adapter; 1×1 convolutions become matrices.

    A module without norms keeps its gate at `bottleneck.finish.scale`. Raises `KeyError` on an unknown name.
    """
    ours = {}
    for name, tensor in released.items():
        module, _, leaf = name.rpartition(".")
        if module in UNUSED or name in UNUSED:
            continue
        if name not in NAMES and module not in NAMES:
            raise KeyError(f"from_released_adapter: {name!r} is no parameter of a released DG-SCT adapter.")
        target = NAMES[name] if name in NAMES else f"{NAMES[module]}.{leaf}"
        ours[target] = tensor.flatten(1) if tensor.dim() == 4 else tensor
    if "bottleneck.finish.norm.weight" not in ours and "bottleneck.finish.gate.scale" in ours:
        ours["bottleneck.finish.scale"] = ours.pop("bottleneck.finish.gate.scale")
    return ours
