"""The released DG-SCT evaluated directly, equation by equation: the oracle and the opponent of the fast evaluation.

The modules, their parameters and their names are those of `dg_sct_released`; only what is computed from them is written
out here. The aligned guide is formed, softmax weights stand in memory, channel guidance multiplies before its mean,
spatial guidance is given the scaled stream, convolutions of one pixel are convolutions, batch norm sees its input.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crossmodal.adapters import Adapted, AdapterFactory, Bottleneck, GuidedAdapter
from crossmodal.injection import Encoder, Lockstep
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.site import Site

from .direct_windows import written_out


def direct(visual: Encoder, audio: Encoder) -> Lockstep:
    """`dg_sct_released` with everything evaluated directly, the windows of both encoders included."""
    return dg_sct_released(written_out(visual), written_out(audio), guide=evaluated_directly)


def evaluated_directly(factory: AdapterFactory) -> AdapterFactory:
    """The same adapters, evaluated directly. `TypeError` for adapters that are not guided adapters."""

    def build(stream: Site, guide: Site) -> nn.Module:
        adapter = factory(stream, guide)
        if not isinstance(adapter, GuidedAdapter):
            raise TypeError(
                f"evaluated_directly: {type(adapter).__name__} is no GuidedAdapter: nothing is known of it."
            )
        return DirectAdapter(adapter)

    return build


class DirectAdapter(nn.Module):
    """A guided adapter of the released parts, sharing them; shapes and keys as the adapter's."""

    def __init__(self, adapter: GuidedAdapter):
        super().__init__()
        self.align, self.latents = adapter.align, adapter.latents
        self.modulation, self.bottleneck = adapter.modulation, adapter.bottleneck

    def forward(self, stream: Tensor, guide: Tensor) -> Adapted:
        """Aligns, reads by latent tokens, modulates, writes."""
        aligned = formed(self.align, guide)
        stream = read(self.latents, stream, aligned)
        modulation, cue = self.modulation, aligned.mean(1)
        channel = channel_map(modulation.channel, stream, cue)
        spatial = spatial_map(modulation.spatial, (channel + 1) * stream, cue)
        factor = modulation.channel_weight * channel + modulation.spatial_weight * spatial + modulation.base
        return Adapted(written(self.bottleneck, stream * factor), {"channel": channel, "spatial": spatial})


def formed(align: nn.Module, guide: Tensor) -> Tensor:
    """The aligned guide: a convolution whose channels are tokens, then a linear layer."""
    mixed = F.conv1d(guide, align.mix.weight[..., None], align.mix.bias)
    return F.linear(mixed, align.project.weight, align.project.bias)


def read(latents: nn.Module, stream: Tensor, aligned: Tensor) -> Tensor:
    """The stream after reading the latent tokens that read the aligned guide."""
    to_guide = torch.softmax(latents.tokens @ aligned.mT, dim=-1)
    informed = latents.tokens + to_guide @ aligned
    to_latents = torch.softmax(stream @ informed.mT, dim=-1)
    return stream + latents.gate * (to_latents @ informed)


def channel_map(guidance: nn.Module, stream: Tensor, cue: Tensor) -> Tensor:
    """One number a channel: the product with the cue at every token, then the mean over tokens."""
    asked = F.relu(guidance.cue_proj(cue))[:, None]
    match = (asked * F.relu(guidance.stream_proj(stream))).mean(1, keepdim=True)
    return torch.sigmoid(guidance.excite(F.relu(guidance.squeeze(match))))


def spatial_map(guidance: nn.Module, scaled: Tensor, cue: Tensor) -> Tensor:
    """One number a token, of the stream that the channel map has scaled."""
    asked = F.relu(guidance.cue_proj(cue))[:, None]
    return torch.sigmoid(guidance.readout(F.relu(guidance.stream_proj(scaled)) * asked))


def written(bottleneck: Bottleneck, stream: Tensor) -> Tensor:
    """The residual: norm, convolution, batch norm, ReLU, convolution, batch norm, norm, gate."""
    grid = bottleneck.before(stream).mT
    grid = F.conv1d(grid, bottleneck.down.weight[..., None], groups=bottleneck.down.groups)
    grid = F.relu(nn.BatchNorm1d.forward(bottleneck.down_norm, grid))
    grid = F.conv1d(grid, bottleneck.up.weight[..., None], groups=bottleneck.up.groups)
    grid = nn.BatchNorm1d.forward(bottleneck.up_norm, grid)
    return bottleneck.finish.gate.scale * bottleneck.finish.norm(grid.mT)
