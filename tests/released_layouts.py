"""Files in released layouts: full-size ones from their manifests, small ones from other libraries; random numbers."""

import json
import re
from functools import cache

import torch
from golden_numbers import FILE
from torch import nn

from crossmodal.audio import LogMel
from crossmodal.audio.repeated import RepeatedLogMel
from crossmodal.checkpoints.released_models import dg_sct_ave_rule
from crossmodal.data import AVE_CLASSES, Preprocess
from crossmodal.encoders import htsat, swin_v2
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.event_system import AudioVisualEvents

TYPES = {"float32": torch.float32, "int64": torch.int64}


@cache
def manifests():
    return json.loads((FILE.parent / "manifests.json").read_text("utf-8"))


def released(title, *, device="cpu", seed=0):
    """A state of a released layout at full size: nothing in it is zero, one, or equal to anything else."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: (tuple(shape), TYPES[dtype]) for name, (shape, dtype) in manifests()[title].items()}
    if device == "meta":
        return {name: torch.empty(shape, dtype=dtype, device="meta") for name, (shape, dtype) in shapes.items()}
    return {name: numbers(name, shape, dtype, generator) for name, (shape, dtype) in shapes.items()}


def numbers(name, shape, dtype, generator):
    if dtype == torch.int64:
        return torch.randint(1, 100, shape, generator=generator)
    drawn = torch.randn(shape, generator=generator)
    if name.endswith("running_var"):
        return drawn.abs_().add_(0.5)
    if len(shape) < 2:
        return drawn.mul_(0.2).add_(float(name.endswith("weight")))
    return drawn.mul_(drawn[0].numel() ** -0.5)


def randomised(model):
    """Weights that leave nothing hidden: the norms of an untrained Swin-V2 would silence every half-block."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 0 or name.endswith(("logit_scale", "log_scale")):
            nn.init.uniform_(parameter, 1.0, 6.0)  # beyond log 100 = 4.6, where it is clamped
        elif parameter.ndim == 1:
            nn.init.normal_(parameter, 0.5 if "norm" in name and name.endswith("weight") else 0.0, 0.5)
        else:
            nn.init.normal_(parameter, std=1 / parameter[0].numel() ** 0.5)
    return model.eval()


def timm_before_0_9(state):
    """A state of today's timm as timm 0.6 held it: merges a stage earlier, masks, a classifier of one layer."""
    held = {}
    for name, tensor in state.items():
        merge = re.sub(r"layers\.(\d+)\.downsample", lambda found: f"layers.{int(found[1]) - 1}.downsample", name)
        held[merge.replace("head.fc.", "head.")] = tensor
    return {**held, "layers.0.blocks.1.attn_mask": model_buffers()["layers.0.blocks.1.attn_mask"]}


def microsoft(state, **sizes):
    """A state of today's timm as its authors' code holds it: as before, with the tables of relative positions."""
    held = timm_before_0_9(state)
    for name in [name for name in held if name.endswith("attn.proj.weight")]:
        for table in ("relative_coords_table", "relative_position_index"):
            named = name.replace("proj.weight", table)
            held[named] = model_buffers(**sizes)[named]
    return held


@cache
def model_buffers(**sizes):
    """What timm computes and its authors' files hold, by default for windows of 4 on a grid of 16 × 16."""
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    sizes = {"embed_dim": 16, "depths": (2, 2, 3), "num_heads": (2, 4, 4), "window_size": 4, "img_size": 64} | sizes
    return dict(SwinTransformerV2(num_classes=0, **sizes).named_buffers())


def htsat_of(clap):
    """The state of a transformers CLAP encoder as HTS-AT's own code names it."""
    held = {"spectrogram_extractor.stft.conv_real.weight": torch.randn(9, 1, 16)}
    held |= {"spectrogram_extractor.stft.conv_imag.weight": torch.randn(9, 1, 16)}
    held |= {"logmel_extractor.melW": torch.rand(9, 4), "tscam_conv.weight": torch.randn(3, 4, 2, 3)}
    names = {
        "batch_norm": "bn0",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "intermediate.dense": "mlp.fc1",
        "attention.output.dense": "attn.proj",
        "output.dense": "mlp.fc2",
        "attention.self.relative": "attn.relative",
    }
    for name, tensor in clap.items():
        if fused := re.fullmatch(r"(.*)attention\.self\.query\.(weight|bias)", name):
            parts = [clap[f"{fused[1]}attention.self.{part}.{fused[2]}"] for part in ("query", "key", "value")]
            held[f"{fused[1]}attn.qkv.{fused[2]}"] = torch.cat(parts)
        elif not re.search(r"attention\.self\.(key|value)\.", name):
            theirs = next((name.replace(ours, own) for ours, own in names.items() if ours in name), name)
            held[theirs] = tensor
    return held


def exported(module, rule, names):
    """The released state that a module holds: each name from what its rule fills, a one for what is dropped."""
    own, held = module.state_dict(), {}
    for name, like in names.items():
        placed = rule(name, like.to("meta"))
        if not isinstance(placed, dict):
            held[name] = torch.ones(())
            continue
        whole = torch.cat([own[part] for part in placed]) if len(placed) > 1 else own[next(iter(placed))]
        held[name] = whole.reshape((*whole.shape, *[1] * (like.dim() - whole.dim())))
    return held


def small_events(coupling=dg_sct_released):
    """The released model at another size: two pairs, one a stage; the second meets the third of three Swin blocks."""
    lockstep = coupling(
        swin_v2(32, width=16, depths=(1, 3), heads=(2, 4), window=4),
        htsat(32, mels=16, width=16, depths=(1, 1), heads=(2, 4), window=4),
    )
    sound = RepeatedLogMel(LogMel(16_000, n_fft=512, hop=160, mels=16, fmax=8_000), 16_000)
    model = AudioVisualEvents(
        Pair(lockstep, (32, 32), sound, Preprocess(32, 16_000)),
        temporal=TemporalAttention(32, 32, width=16),
        head=EventHead(16),
        classes=AVE_CLASSES,
    )
    return randomised(model)


def small_names():
    """The names of the released model that a `small_events` has: fewer blocks and pairs."""
    blocks = {
        "swin": ("0.blocks.0.", "2.blocks.0.", "2.blocks.1.", "2.blocks.2."),
        "htsat": ("0.blocks.0.", "1.blocks.0."),
    }
    gone = [f"{encoder}.layers." for encoder in blocks] + [
        f"blocks_p{part}.{pair}." for part in (1, 2) for pair in range(2, 12)
    ]
    kept = [f"{encoder}.layers.{block}" for encoder, of in blocks.items() for block in of]
    kept += [f"{encoder}.layers.0.downsample." for encoder in blocks]
    names = released("dg_sct_ave", device="meta")
    names = {
        name: tensor
        for name, tensor in names.items()
        if any(mark in name for mark in kept) or not any(mark in name for mark in gone)
    }
    return {name.replace("swin.layers.2.", "swin.layers.1."): tensor for name, tensor in names.items()}


def small_released(model):
    """The state of a `small_events` in the released layout."""
    names = small_names()
    return exported(model, dg_sct_ave_rule(names, model.coupled), names)
