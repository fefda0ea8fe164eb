"""Tiny CLIP and tiny CLAP of the built-in world: text towers over its frozen tiny encoders, shipped in the package.

They were trained contrastively on captions; the pairs of colour and texture that `crossmodal.data.world.captions` holds
out were neither seen nor named in that training.
"""

from pathlib import Path

from safetensors import safe_open
from torch import nn

from ...data.world.captions import WORDS
from ...injection import Encoder
from ..clip import ClipText
from ..text_tokens import WordTokenizer
from ..towers import DualEncoder, MlpPool, Tower
from .tiny import WEIGHTS, tiny_audio, tiny_visual

CLIP, CLAP = WEIGHTS / "tiny_clip.safetensors", WEIGHTS / "tiny_clap.safetensors"
FEATURES, HIDDEN, CONTEXT = 64, 192, 32
FROZEN = "tower.encoder."
"""Prefix of the tiny encoder in a tiny CLIP or CLAP; its weights lie in a file of their own."""


def tiny_clip(*, weights: Path | None = CLIP) -> DualEncoder:
    """Builds the tiny CLIP of the built-in world: the tiny visual encoder, and a text tower of 2 blocks of width 64.

    Args:
        weights: A file of `python -m crossmodal.training.world.contrastive`; `None` for an untrained text tower.
    """
    return over_tiny(tiny_visual(), weights)


def tiny_clap(*, weights: Path | None = CLAP) -> DualEncoder:
    """Builds the tiny CLAP of the built-in world: the tiny audio encoder, and a text tower of its own.

    Args:
        weights: As in `tiny_clip`.
    """
    return over_tiny(tiny_audio(), weights)


def tiny_tokenizer() -> WordTokenizer:
    """Builds the tokenizer of both: the words of the world's captions."""
    return WordTokenizer(WORDS, context=CONTEXT)


def over_tiny(encoder: Encoder, weights: Path | None) -> DualEncoder:
    """Builds a dual encoder over a tiny encoder, and loads all that does not belong to the encoder.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If names or shapes differ.
    """
    pool, projection = MlpPool(encoder.sites[-1].width, HIDDEN), nn.Linear(HIDDEN, FEATURES)
    text = ClipText(FEATURES, vocabulary=tiny_tokenizer().vocabulary, context=CONTEXT, width=64, depth=2, heads=4)
    model = DualEncoder(Tower(encoder, pool, projection, FEATURES), text)
    if weights is None:
        return model
    if not weights.is_file():
        raise FileNotFoundError(
            f"Tiny CLIP and CLAP: no weights at {weights}: install the package anew, or make them with "
            f"`python -m crossmodal.training.world.contrastive --out {weights.parent}`."
        )
    kept = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(FROZEN)}
    with safe_open(weights, framework="pt") as file:
        learned = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    model.load_state_dict(kept | learned)
    return model
