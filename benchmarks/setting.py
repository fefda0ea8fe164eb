"""What is measured: the model at full size or at laptop size, one clip of ten seconds, on one device."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from crossmodal.adapters import AdapterFactory
from crossmodal.data import AVE_CLASSES, Clip
from crossmodal.heads import event_loss
from crossmodal.injection import Encoder
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.site import Site
from crossmodal.tasks.coupled_system import Coupling
from crossmodal.tasks.event_system import AudioVisualEvents

from .measuring import woken

SIZES: dict[str, Callable[..., AudioVisualEvents]] = {
    "full": partial(dg_sct, "swin_v2_l", "htsat", classes=AVE_CLASSES),
    "tiny": dg_sct,
}


class Setting(NamedTuple):
    """What is asked for.

    - `size`: `"full"` or `"tiny"`.
    - `device`: `"cpu"` or `"cuda"`.
    - `rounds`: of what takes long; what is short has more.
    - `shortest`: seconds that a sample lasts at least.
    """

    size: str = "full"
    device: str = "cpu"
    rounds: int = 3
    shortest: float = 0.1

    def model(self, coupled: Coupling = dg_sct_released, *, device: str | None = None) -> AudioVisualEvents:
        """The model in training mode, its zeros moved; weights are random where they are not the tiny ones."""
        torch.manual_seed(0)
        with torch.device(device or self.device), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*copying from a non-meta parameter.*")  # tiny ones bring theirs
            made = SIZES[self.size](coupling=coupled).train()
        return made if device == "meta" else woken(made)

    def inputs(self, model: AudioVisualEvents, clips: int = 1, *, device: str | None = None) -> tuple[Tensor, Tensor]:
        """Frames and wave of clips of ten seconds."""
        size, rate, device = model.preprocess.size, model.preprocess.rate, device or self.device
        return torch.rand(clips, 10, 3, size, size, device=device), torch.randn(clips, 10, rate, device=device)

    def batch(self, model: AudioVisualEvents, clips: int = 1, *, device: str | None = None) -> Clip:
        """The same as one argument of the model."""
        return Clip(*self.inputs(model, clips, device=device))


def step_of(setting: Setting, model: AudioVisualEvents, clips: int = 1) -> Callable[[], None]:
    """A training step without its optimiser: forward, loss, backward."""
    frames, wave = setting.inputs(model, clips)
    labels = torch.randint(0, len(model.classes) + 1, (clips, 10), device=setting.device)

    def step() -> None:
        model.zero_grad()
        event_loss(model.score(frames, wave), labels).backward()

    return step


def floor_of(setting: Setting, model: AudioVisualEvents) -> Callable[[], None]:
    """Both encoders forwards, and backwards to the streams that their stems give."""
    frames, wave = setting.inputs(model)
    with torch.no_grad():
        given = {"visual": frames.flatten(0, 1), "audio": model.sound(wave.flatten(0, 1))}

    def floor() -> None:
        for name, inputs in given.items():
            sections(model.coupled.encoder(name), inputs).sum().backward()

    return floor


def sections(encoder: Encoder, inputs: Tensor) -> Tensor:
    """The last stream of an encoder, differentiable from the stem on."""
    with torch.no_grad():
        stream: Tensor = encoder.stem(inputs)
    stream.requires_grad_()
    for section in encoder.sections.values():
        stream = section(stream)
    return stream


Built = tuple[AdapterFactory, Site, Site]
"""What builds an adapter: the factory, the site of its stream, that of its guide."""


def adapters_of(setting: Setting) -> dict[str, Built]:
    """One adapter a stage and direction, `"stage 1, audio → visual"`: the others of a stage have the same sizes."""
    found: dict[str, Built] = {}
    kinds = {"row": "visual", "frequency": "audio"}

    def kept(factory: AdapterFactory) -> AdapterFactory:
        def build(stream: Site, guide: Site) -> nn.Module:
            names = [next(kind for axis, kind in kinds.items() if axis in site.axes) for site in (guide, stream)]
            found.setdefault(f"stage {stream.stage + 1}, {' → '.join(names)}", (factory, stream, guide))
            return factory(stream, guide)

        return build

    setting.model(lambda visual, audio: dg_sct_released(visual, audio, guide=kept), device="meta")
    return found
