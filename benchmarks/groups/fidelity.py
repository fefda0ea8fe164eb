"""How far apart our numbers are from others', measured: a table of largest differences, where tests hold bounds."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from safetensors.torch import load_file
from torch import Tensor

from crossmodal.adapters import Bottleneck, GuidedAdapter, guided_adapter
from crossmodal.adapters.guided import channel_and_spatial
from crossmodal.alignment import learned_alignment
from crossmodal.audio import LogMel
from crossmodal.checkpoints import from_released_adapter
from crossmodal.heads import event_loss
from crossmodal.injection import freeze
from crossmodal.site import Site, grid_axes
from crossmodal.tasks.event_system import AudioVisualEvents

from ..direct import direct
from ..machine import ROOT
from ..measuring import woken
from ..results import Found
from ..setting import Setting
from ..tables import markdown
from .encoders import Pair, htsat_pair, swin_pair

GOLDEN = ROOT / "tests/golden/golden_adapter_tiny.safetensors"
DTYPES = {"float64": torch.float64, "float32": torch.float32}


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a pair of codes and dtype; all at tiny size but what the released code itself computed."""
    found: dict[str, Callable[[], Found]] = {"released AVE adapter, golden numbers, float32": golden_adapter}
    for name, dtype in DTYPES.items():
        found[f"Swin-V2 and timm's, random weights, {name}"] = partial(encoders, swin_pair, dtype)
        found[f"HTS-AT and transformers', random weights, {name}"] = partial(encoders, htsat_pair, dtype)
        found[f"the whole model and its equations written out, random weights, {name}"] = partial(whole_model, dtype)
    found["log-mel and torchlibrosa's, noise, float32"] = log_mel
    return found


def golden_adapter() -> Found:
    """Outputs and input gradients of an adapter beside the numbers that the released code gave, in training mode."""
    numbers = load_file(GOLDEN)

    def golden(kind: str) -> dict[str, Tensor]:
        prefix = f"ave_adapter/{kind}/"
        return {name.removeprefix(prefix): tensor for name, tensor in numbers.items() if name.startswith(prefix)}

    block = guided_adapter(
        Site("stream", 24, grid_axes(4, 4)),
        Site("guide", 32, grid_axes(3, 3)),
        align=learned_alignment,
        latents=8,
        modulation=channel_and_spatial,
        bottleneck=partial(Bottleneck, reduction=4),
        order=GuidedAdapter,
    )
    block.modulation.base = 0.7
    block.load_state_dict(from_released_adapter(golden("state")))
    given = {name: tensor.requires_grad_() for name, tensor in golden("in").items()}
    residual, maps = block.train()(given["x"], given["guide"])
    weights = torch.softmax(torch.tanh(torch.logit(maps["spatial"])), 1).mT
    terms = ((out.flatten() * torch.arange(out.numel()).float().cos()).sum() for out in (residual, weights))
    torch.autograd.backward(list(terms))
    theirs = golden("grad_in")
    gradients = [(tensor.grad - theirs[name]).abs().max() / theirs[name].abs().max() for name, tensor in given.items()]
    return {"outputs": _apart(residual, golden("out_train")["output"]), "gradients": max(gradients).item()}


def encoders(make: Callable[[str], Pair], dtype: torch.dtype) -> Found:
    """Final streams of an encoder and of the library that it was imported from."""
    torch.manual_seed(0)
    theirs, ours, inputs, run_theirs = make("tiny")
    theirs.to(dtype).eval(), freeze(ours.to(dtype))
    with torch.inference_mode():  # transformers unfolds the last grid: its tokens come in another order
        expected, found = run_theirs(inputs.to(dtype)), ours(inputs.to(dtype))
    return {"outputs": _apart(found.sort(1).values, expected.sort(1).values)}


def whole_model(dtype: torch.dtype) -> Found:
    """Scores and gradients of a training step of the released form, fast and with its equations written out."""
    setting = Setting("tiny")
    fast, slow = woken(setting.model()).to(dtype), setting.model(direct).to(dtype)
    slow.load_state_dict(fast.state_dict())
    torch.manual_seed(0)
    frames, wave = (tensor.to(dtype) for tensor in setting.inputs(fast))
    ours, theirs = (_step(model, frames, wave) for model in (fast, slow))
    scores = max(_apart(one, other) for one, other in zip(ours[0], theirs[0], strict=True))
    # of a bias before batch norm the gradient is zero but for rounding
    largest = max(gradient.norm() for gradient in theirs[1].values())
    apart = max((ours[1][name] - gradient).norm() for name, gradient in theirs[1].items())
    return {"outputs": scores, "gradients": (apart / largest).item()}


def log_mel() -> Found:
    """Log-mel of noise, in dB over the largest level."""
    from torchlibrosa.stft import LogmelFilterBank, Spectrogram

    torch.manual_seed(0)
    wave = 0.1 * torch.randn(1, 64_000)
    spectrogram = Spectrogram(n_fft=1024, hop_length=320, win_length=1024, pad_mode="reflect")
    bank = LogmelFilterBank(sr=32_000, n_fft=1024, n_mels=64, fmin=50, fmax=14_000, ref=1.0, amin=1e-10, top_db=None)
    with torch.no_grad():
        return {"outputs": _apart(LogMel()(wave), bank(spectrogram(wave))[:, 0])}


def _step(model: AudioVisualEvents, frames: Tensor, wave: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    torch.manual_seed(1)  # the heads drop units
    events = model.score(frames, wave)
    event_loss(events, torch.arange(10)[None] % (len(model.classes) + 1)).backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return [*events], gradients


def _apart(ours: Tensor, theirs: Tensor) -> float:
    """Returns the largest difference over the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def table(found: Mapping[str, Found]) -> str:
    """A row a pair."""
    rows = [
        [name, f"{of['outputs']:.0e}", f"{of['gradients']:.0e}" if "gradients" in of else ""]
        for name, of in found.items()
    ]
    return markdown(["ours beside", "outputs apart by, of the largest", "gradients"], rows)
