"""Channel guidance: which channels of a stream does the other modality vouch for?"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..linear import Linear
from ..shapes import check_width, shaped


class ChannelGuidance(nn.Module):
    r"""Scores every channel of a stream against a cue from the other modality.

    $$M = \sigma\big(W_\uparrow\,\mathrm{relu}(W_\downarrow
          \operatorname{mean}_t [\mathrm{relu}(W_s x_t) \odot \mathrm{relu}(W_c c)])\big)$$

    The mean over tokens commutes with the product by the cue and is taken first; of the first relu only the signs are
    kept for the backward.
    Shapes: stream `(frame, token, channel)`, cue `(frame, cue_channel)` → map `(frame, 1, channel)` in [0, 1].
    Source: Duan et al., *Cross-modal Prompts*, NeurIPS 2023, the channel attention of DG-SCT.
    """

    def __init__(self, channels: int, cue_channels: int, *, reduction: int = 2):
        """
        - `channels`: width of the guided stream.
        - `cue_channels`: width of the cue.
        - `reduction`: the hidden layer has `channels // reduction` units; must divide `channels`.
        """
        super().__init__()
        if channels % reduction:
            raise ValueError(f"ChannelGuidance: reduction={reduction} must divide channels={channels}.")
        self.stream_proj = Linear(channels, channels)
        self.cue_proj = nn.Linear(cue_channels, channels)
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    @shaped
    def forward(
        self, stream: Float[Tensor, "frame token channel"], cue: Float[Tensor, "frame cue_channel"]
    ) -> Float[Tensor, "frame 1 channel"]:
        """Returns the map; never applies it."""
        check_width(self, "stream", stream, self.stream_proj.in_features)
        check_width(self, "cue", cue, self.cue_proj.in_features)
        projected = self.stream_proj(stream)
        present = torch.where(projected <= 0, 0.0, projected).mean(dim=1, keepdim=True)  # relu would keep numbers
        return self.excite(self.squeeze(present * self.cue_proj(cue).relu()[:, None]).relu()).sigmoid()
