"""The frozen encoders' forwards against timm's Swin-V2 and the HTS-AT of transformers' CLAP, at equal outputs."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from crossmodal.checkpoints import import_htsat, import_swin_v2
from crossmodal.encoders import htsat, swin_v2
from crossmodal.injection import Encoder, fast_linears, freeze

from ..measuring import in_turns, woken
from ..results import Found
from ..setting import Setting
from ..tables import markdown, ratio, spread

SWIN = {
    "full": {"image": 192, "width": 192, "depths": (2, 2, 18, 2), "heads": (6, 12, 24, 48), "window": 12},
    "tiny": {"image": 64, "width": 16, "depths": (2, 2), "heads": (2, 4), "window": 4},
}
HTSAT = {
    "full": {"spectrogram": 256, "mels": 64, "width": 96, "depths": (2, 2, 6, 2), "heads": (4, 8, 16, 32), "window": 8},
    "tiny": {"spectrogram": 64, "mels": 32, "width": 16, "depths": (2, 2), "heads": (2, 4), "window": 4},
}
Pair = tuple[nn.Module, Encoder, Tensor, Callable[[Tensor], Tensor]]
"""Theirs, ours with its weights, an input of ours, and how theirs takes it and gives a stream back."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One an encoder."""
    pairs = {"Swin-V2-L, timm": swin_pair, "HTS-AT, transformers": htsat_pair}
    return {name: partial(compared, setting, make) for name, make in pairs.items()}


def compared(setting: Setting, make: Callable[[str], Pair]) -> Found:
    """Seconds of a forward of ten frames without gradients, and how far apart the outputs are."""
    torch.manual_seed(0)
    theirs, ours, inputs, run_theirs = make(setting.size)
    theirs.to(setting.device).eval(), freeze(fast_linears(ours.to(setting.device)))
    inputs = inputs.to(setting.device)
    with torch.inference_mode():  # transformers unfolds the last grid: its tokens come in another order
        expected, found = run_theirs(inputs), ours(inputs)
        apart = (found.sort(1).values - expected.sort(1).values).abs().max() / expected.abs().max()
        runs = {"theirs": partial(run_theirs, inputs), "ours": partial(ours, inputs)}
        seconds = in_turns(runs, rounds=max(5, setting.rounds), device=setting.device, shortest=setting.shortest)
    return {"seconds": seconds, "apart": apart.item()}


def swin_pair(size: str) -> Pair:
    """Returns the Swin-V2 of timm, without its classifier, and ours."""
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    sizes = SWIN[size]
    theirs = SwinTransformerV2(
        img_size=sizes["image"],
        num_classes=0,
        embed_dim=sizes["width"],
        depths=sizes["depths"],
        num_heads=sizes["heads"],
        window_size=sizes["window"],
    )
    woken(theirs)
    ours = swin_v2(**sizes)
    import_swin_v2(ours, theirs.state_dict())
    frames = torch.randn(10, 3, sizes["image"], sizes["image"])
    return theirs, ours, frames, lambda given: theirs.forward_features(given).flatten(1, 2)


def htsat_pair(size: str) -> Pair:
    """The audio tower of CLAP without fusion."""
    from transformers.models.clap.modeling_clap import ClapAudioConfig, ClapAudioModel

    sizes = HTSAT[size]
    config = ClapAudioConfig(
        enable_fusion=False,
        spec_size=sizes["spectrogram"],
        num_mel_bins=sizes["mels"],
        patch_embeds_hidden_size=sizes["width"],
        depths=list(sizes["depths"]),
        num_attention_heads=list(sizes["heads"]),
        window_size=sizes["window"],
        hidden_size=sizes["width"] * 2 ** (len(sizes["depths"]) - 1),
    )
    theirs = ClapAudioModel(config).audio_encoder
    ours = htsat(**sizes)
    import_htsat(ours, woken(theirs).state_dict())
    log_mel = torch.randn(10, sizes["spectrogram"] ** 2 // sizes["mels"], sizes["mels"]) * 20 - 40

    def run(given: Tensor) -> Tensor:
        return theirs(given[:, None]).last_hidden_state.flatten(2).mT

    return theirs, ours, log_mel, run


def table(found: Mapping[str, Found]) -> str:
    """A row an encoder."""
    rows = []
    for name, of in found.items():
        theirs, ours = of["seconds"]["theirs"], of["seconds"]["ours"]
        rows.append([name, spread(theirs), spread(ours), f"{ratio(ours, theirs):.2f}", f"{of['apart']:.0e}"])
    return markdown(["forward of ten frames", "theirs", "ours", "ours / theirs", "outputs apart by"], rows)
