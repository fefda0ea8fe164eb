"""The two tiny encoders of the built-in world: 0.86 million parameters together, pre-trained, shipped in the package.

They were trained to recognise the textures, colours and timbres in a second, each modality by itself.
"""

from pathlib import Path

from safetensors import safe_open
from torch import nn

from ...audio import LogMel
from ...data.world import TINY
from ...injection import Encoder
from .. import htsat, swin_v2

WEIGHTS = Path(__file__).parent / "weights"
VISUAL, AUDIO = WEIGHTS / "tiny_visual.safetensors", WEIGHTS / "tiny_audio.safetensors"


def tiny_visual(*, weights: Path | None = VISUAL) -> Encoder:
    """Builds a Swin-V2 of two stages for frames of 64²: 8×8 tokens of width 64, then 4×4 of width 128.

    Args:
        weights: A file of `python -m crossmodal.training.world.pretrain`; `None` for random weights.
    """
    encoder = swin_v2(TINY.size, patch=8, width=64, depths=(2, 2), heads=(4, 8), window=8, drop_path=0.0)
    return encoder if weights is None else load_tiny(encoder, weights)


def tiny_audio(*, weights: Path | None = AUDIO) -> Encoder:
    """Builds an HTS-AT of two stages for one second of `tiny_log_mel`: 8×8 tokens of width 48, then 4×4 of width 96.

    Args:
        weights: A file of `python -m crossmodal.training.world.pretrain`; `None` for random weights.
    """
    encoder = htsat(
        64, mels=32, patch=8, width=48, depths=(2, 2), heads=(3, 6), window=8, drop_path=0.0, augment=nn.Identity
    )
    return encoder if weights is None else load_tiny(encoder, weights)


def tiny_log_mel() -> LogMel:
    """Builds the front end of `tiny_audio`: one second at 16 kHz → `(frame, 129, 32)`."""
    return LogMel(TINY.rate, n_fft=512, hop=125, mels=32, fmin=50.0, fmax=8000.0)


def load_tiny(encoder: Encoder, path: Path) -> Encoder:
    """Loads the tensors `encoder.…` of a safetensors file, all of them and no others, and returns `encoder`.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If names or shapes differ.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Tiny encoder: no weights at {path}: install the package anew, or make them with "
            f"`python -m crossmodal.training.world.pretrain --out {path.parent}`."
        )
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("encoder.")]  # noqa: SIM118 (not a dict)
        encoder.load_state_dict({name.removeprefix("encoder."): file.get_tensor(name) for name in names})
    return encoder
