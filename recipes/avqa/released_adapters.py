"""What the released adapters of MUSIC-AVQA have in the place of AVE's: latent tokens, groups, and no gate on sounds."""

from math import gcd
from typing import cast

from torch import nn

from crossmodal.adapters import Bottleneck, Sized
from crossmodal.attention import LatentTokens
from crossmodal.injection import Coupler, Lockstep
from crossmodal.injection.coupler import edge_key

GROUPS, REDUCTION = 4, 8


def two_latents(channels: int) -> LatentTokens:
    """Builds the two latent tokens of DG-SCT, which start at zero.

    Args:
        channels: Width of the stream.
    """
    return LatentTokens(channels, 2, init=nn.init.zeros_)


def many_latents(channels: int) -> LatentTokens:
    """Builds the 64 latent tokens of LAVisH, which start at zero.

    Args:
        channels: Width of the stream.
    """
    return LatentTokens(channels, 64, init=nn.init.zeros_)


def plain_bottleneck(channels: int) -> Bottleneck:
    """Builds a bottleneck of four groups without BatchNorm.

    Args:
        channels: Width of the stream; where four groups do not divide its hidden width, there are fewer.
    """
    # the tiny audio encoder's 48 channels have six hidden units
    return Bottleneck(channels, reduction=REDUCTION, groups=gcd(GROUPS, channels // REDUCTION), norm=nn.Identity)


def finish_sounds(coupled: Lockstep, finish: Sized) -> None:
    """Puts another end on the bottlenecks of all adapters that write to the audio stream.

    Args:
        coupled: Coupled encoders; adapters without `bottleneck.finish` stay as they are.
        finish: Builds the end from the width; `nn.LayerNorm`, released, has no gate.
    """
    for coupler in coupled.couplers.values():
        for edge in cast(Coupler, coupler).edges:
            bottleneck = getattr(coupler.get_submodule(edge_key(edge)), "bottleneck", None)
            if edge[1] == "audio" and isinstance(bottleneck, Bottleneck):
                bottleneck.finish = finish(bottleneck.channels)
