"""Unmodified models of torchvision and timm in small sizes, an adapter, and a guide: what tests of injection share."""

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models import ConvNeXt, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from crossmodal.adapters import Adapted
from crossmodal.injection import Injected, sites
from crossmodal.site import Site

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


def clip_vision():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**sizes, image_size=32, patch_size=8))


def transformers_vit():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=8), add_pooling_layer=False)


def transformers_swin():
    transformers = pytest.importorskip("transformers")
    sizes = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2]}
    return transformers.SwinModel(transformers.SwinConfig(**sizes, window_size=4), add_pooling_layer=False)


def transformers_convnext():
    transformers = pytest.importorskip("transformers")
    return transformers.ConvNextModel(transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[2, 1], num_stages=2))


def spectrogram_transformer():
    """AST: a class and a distillation token, then bands × times."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    patches = {"patch_size": 4, "frequency_stride": 4, "time_stride": 4, "max_length": 24, "num_mel_bins": 16}
    return transformers.ASTModel(transformers.ASTConfig(**sizes, **patches))


def clap_audio():
    """HTS-AT as transformers has it: 60 frames of 16 bands, folded to 32 × 32."""
    transformers = pytest.importorskip("transformers")
    sizes = {"patch_embeds_hidden_size": 16, "hidden_size": 32, "depths": [2, 2], "num_attention_heads": [2, 2]}
    folding = {"spec_size": 32, "num_mel_bins": 16, "window_size": 4, "patch_size": 4, "patch_stride": [4, 4]}
    return transformers.ClapAudioModel(transformers.ClapAudioConfig(**sizes, **folding, num_hidden_layers=2))


SPECTRUM = torch.randn(2, 24, 16, generator=torch.Generator().manual_seed(3))


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

GUIDE = Site("audio", 6, {"token": (0, 1, 2)})
SOUND = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))

# model, picture, a pattern, and one of the modules that it matches
CASES = {
    "vit": (vit, PICTURE[..., :32], "encoder.layers.encoder_layer_?.mlp", "encoder.layers.encoder_layer_1.mlp"),
    "vit attention": (vit, PICTURE[..., :32], "**.self_attention", "encoder.layers.encoder_layer_1.self_attention"),
    "swin": (swin, PICTURE, "features.3.*.mlp", "features.3.1.mlp"),
    "convnext": (convnext, PICTURE, "features.1.*", "features.1.1"),
    "timm swin": (timm_swin, PICTURE, "layers.*.blocks.*", "layers.1.blocks.0"),
    "timm convnext": (timm_convnext, PICTURE, "stages.1.blocks.*", "stages.1.blocks.0"),
    "timm vit": (timm_vit, PICTURE, "blocks.*.attn", "blocks.1.attn"),
}


# model, input, what to cut at, and sites by name: rows and columns, prefix, stage, block, part
CUTS = {
    "vit": (vit, PICTURE[..., :32], "encoder.layers.*", {"encoder.layers.encoder_layer_1": (4, 4, 1, 0, 1, "block")}),
    "swin": (
        swin,
        PICTURE,
        ["features.1.*", "features.3.*"],
        {"features.2": (4, 8, 0, 0, None, "merge"), "features.3.1": (4, 8, 0, 1, 1, "block")},
    ),
    "convnext": (convnext, PICTURE, ["features.1.*", "features.3.*"], {"features.3.0": (4, 8, 0, 1, 0, "block")}),
    "timm vit": (timm_vit, PICTURE, "blocks.*", {"stem": (4, 8, 1, 0, None, "stem")}),
    "timm registers": (
        partial(
            timm_model,
            "vit_small_patch14_reg4_dinov2",
            img_size=(32, 64),
            patch_size=8,
            embed_dim=16,
            depth=2,
            num_heads=2,
        ),
        PICTURE,
        "blocks.*",
        {"blocks.0": (4, 8, 5, 0, 0, "block")},
    ),
    "timm swin": (timm_swin, PICTURE, "layers.*.blocks.*", {"layers.1.downsample": (4, 8, 0, 0, None, "merge")}),
    "timm convnext": (timm_convnext, PICTURE, "stages.*.blocks.*", {"stages.2.blocks.0": (2, 4, 0, 2, 0, "block")}),
    "clip": (clip_vision, PICTURE[..., :32], "encoder.layers.*", {"encoder.layers.0": (4, 4, 1, 0, 0, "block")}),
    "transformers vit": (transformers_vit, PICTURE[..., :32], "layers.*", {"layers.1": (4, 4, 1, 0, 1, "block")}),
    "transformers swin": (
        transformers_swin,
        PICTURE[..., :32],
        "encoder.layers.*.blocks.*",
        {"encoder.layers.0.downsample": (4, 4, 0, 0, None, "merge")},
    ),
    "transformers convnext": (
        transformers_convnext,
        PICTURE,
        "encoder.stages.*.layers.*",
        {"encoder.stages.1.layers.0": (4, 8, 0, 1, 0, "block")},
    ),
    "ast": (spectrogram_transformer, SPECTRUM, "layers.*", {"layers.1": (4, 6, 2, 0, 1, "block")}),
    "clap": (
        clap_audio,
        torch.randn(2, 1, 60, 16, generator=torch.Generator().manual_seed(4)),
        "**.blocks.?",
        {"audio_encoder.layers.0.downsample": (4, 4, 0, 0, None, "merge")},
    ),
}


def inject(model, picture, adapters, **options):
    options = {"guide": GUIDE, "sites": sites(model, picture)} | options
    return Injected(model, adapters, **options)


class Recursive(nn.Module):
    """Runs its one block inside itself, and calls whatever it is given in between."""

    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x, between=None):
        return self.block(x, 2, between)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, depth, between):
        if between is not None:
            between(x)
        x = self.linear(x)
        return self(x, depth - 1, None).tanh() if depth > 1 else x
