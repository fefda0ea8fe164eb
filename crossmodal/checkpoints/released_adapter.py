"""The names of the released DG-SCT and LAVisH adapters, as the names of ours."""

from collections.abc import Mapping

from torch import Tensor

from .rules import Dropped, Placed, flat, only_ours, renamed

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


def adapter_rule(name: str, tensor: Tensor) -> Placed:
    """The rule of one adapter with norms; 1×1 convolutions become matrices."""
    if name in UNUSED or name.rpartition(".")[0] in UNUSED:
        return Dropped("a parameter of the released adapters that their code never uses")
    return renamed(NAMES)(name, flat(tensor))


def from_released_adapter(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `GuidedAdapter` from that of one released adapter; 1×1 convolutions become matrices.

    A module without norms keeps its gate at `bottleneck.finish.scale`. Raises `KeyError` on an unknown name.
    """
    ours = only_ours(released, adapter_rule, "from_released_adapter", "a released DG-SCT adapter")
    if "bottleneck.finish.norm.weight" not in ours and "bottleneck.finish.gate.scale" in ours:
        ours["bottleneck.finish.scale"] = ours.pop("bottleneck.finish.gate.scale")
    return ours
