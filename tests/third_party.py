"""Unmodified models of torchvision and timm in small sizes, and an adapter whose residual depends on all that it gets."""

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models import ConvNeXt, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from crossmodal.adapters import Adapted

PICTURE = torch.randn(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))


def vit():
    model = VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)
    nn.init.normal_(model.heads.head.weight)  # torchvision starts it at zero: no change would show
    return model


def swin():
    return SwinTransformer(
        [4, 4], 8, [2, 2], [2, 2], [4, 4], 4.0, 0.0, 0.0, 0.1, 5, None, SwinTransformerBlockV2, PatchMergingV2
    )


def convnext():
    return ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)], num_classes=5)


def timm_model(name, **sizes):
    return pytest.importorskip("timm").create_model(name, num_classes=5, **sizes)


timm_swin = partial(
    timm_model,
    "swinv2_tiny_window8_256",
    img_size=(32, 64),
    window_size=4,
    embed_dim=8,
    depths=(2, 2),
    num_heads=(2, 2),
)
timm_convnext = partial(timm_model, "convnext_atto", depths=(1, 1, 1, 1), dims=(8, 8, 16, 16))
timm_vit = partial(
    timm_model, "vit_tiny_patch16_224", img_size=(32, 64), patch_size=8, embed_dim=16, depth=2, num_heads=2
)


class Whisper(nn.Module):
    """An adapter: every token of the stream, through a linear layer, times the guide's own view of the channels."""

    def __init__(self, stream, guide, *, gate=1.0):
        super().__init__()
        self.stream, self.guide = nn.Linear(stream.width, stream.width), nn.Linear(guide.width, stream.width)
        self.gate = nn.Parameter(torch.full((1,), gate))

    def forward(self, stream, guide):
        view = self.guide(guide).mean(1, keepdim=True).sigmoid()
        return Adapted(self.gate * self.stream(stream) * view, {"channel": view})


silent = partial(Whisper, gate=0.0)
