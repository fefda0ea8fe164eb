"""CLIP and CLAP by name: both towers in one feature space, tokenizer, and the input that the tower expects."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
from torch import nn

from ...audio import LogMel, RepeatedLogMel
from ...checkpoints import Imported, import_clap, import_clip, read_weights
from ...data.world import TINY
from ..clap import RobertaText, clap_model
from ..clip import CLIP_MEAN, CLIP_SIZES, CLIP_STD, ClipSize, clip_of_size
from ..htsat import htsat_tiny_audioset
from ..text_tokens import FileTokenizer
from ..towers import DualEncoder, Tokenizer
from .backbone import PRETRAINED, Rgb, fixed_seed, logger, warn_if_random
from .clip_activation import clip_activation, marked, warn_of_activation
from .libraries import unknown_name
from .tiny import tiny_log_mel
from .tiny_texts import tiny_clap, tiny_clip, tiny_tokenizer

CLAP_RATE = 48_000
CONTEXT = 77
"""Longest text in tokens: CLIP has no more positions, and LAION trained CLAP on as many."""


class ImageText(NamedTuple):
    """A model of images and texts, and its input.

    Attributes:
        model: Its tower takes frames `(frame, 3, size, size)`.
        tokenizer: Turns texts into token ids of its text tower.
        size: Side of a frame in pixels.
        mean: Mean of each colour, for normalisation.
        std: Standard deviation of each colour.
    """

    model: DualEncoder
    tokenizer: Tokenizer
    size: int
    mean: Rgb
    std: Rgb


class SoundText(NamedTuple):
    """A model of sounds and texts, and its front end.

    Attributes:
        model: Its tower takes the output of `sound`.
        tokenizer: Turns texts into token ids of its text tower.
        sound: Wave `(frame, sample)` of one second → input of the tower.
        rate: Samples per second of the wave.
    """

    model: DualEncoder
    tokenizer: Tokenizer
    sound: nn.Module
    rate: int


class MissingVocabulary:
    """Refuses to tokenize: stands where a model was built without the files of its tokenizer."""

    def __init__(self, name: str):
        """Keeps the name of the model that errors name."""
        self.name = name

    def __call__(self, texts: Sequence[str]) -> NoReturn:
        """Raises `FileNotFoundError`."""
        self.encode(texts[0] if texts else "")

    def encode(self, text: str) -> NoReturn:
        """Raises `FileNotFoundError`."""
        raise FileNotFoundError(
            f"{self.name} was built without its tokenizer and cannot read {text!r}: give as vocabulary the folder that "
            "holds its tokenizer.json, or vocab.json and merges.txt, from the model's page."
        )


def image_text(name: str, *, weights: str | Path | None = None, vocabulary: str | Path | None = None) -> ImageText:
    """Builds a model of images and texts by name.

    Args:
        name: `clip_vit_b_32`, `clip_vit_b_16`, `clip_vit_l_14`, or `tiny_clip`, which is small and trained on the
            built-in world.
        weights: A file by OpenAI's or transformers' names, or `"pretrained"` for that of the hub; with `None` the
            full-size ones are random, the same in every run, and a warning says so.
        vocabulary: Folder of the tokenizer's files; `tiny_clip` has its own.

    Raises:
        ValueError: With near misses for an unknown name; or as `import_clip`.
        FileNotFoundError: If a file is missing; a tokenizer only where it is used.
    """
    if name not in IMAGE_TEXT:
        raise ValueError(unknown_name(name, IMAGE_TEXT))
    return IMAGE_TEXT[name](weights, vocabulary)


def sound_text(name: str, *, weights: str | Path | None = None, vocabulary: str | Path | None = None) -> SoundText:
    """Builds a model of sounds and texts by name.

    Args:
        name: `clap_htsat`, or `tiny_clap`, which is small and trained on the built-in world.
        weights: A file by LAION's or transformers' names; otherwise as in `image_text`.
        vocabulary: As in `image_text`.

    Raises:
        ValueError: With near misses for an unknown name; or as `import_clap`.
        FileNotFoundError: As `image_text`.
    """
    if name not in SOUND_TEXT:
        raise ValueError(unknown_name(name, SOUND_TEXT))
    return SOUND_TEXT[name](weights, vocabulary)


def _tiny_clip(weights: str | Path | None, vocabulary: str | Path | None) -> ImageText:
    model = tiny_clip() if weights in (None, PRETRAINED) else tiny_clip(weights=Path(weights))
    return ImageText(model, tiny_tokenizer(), TINY.size, TINY.mean, TINY.std)


def _tiny_clap(weights: str | Path | None, vocabulary: str | Path | None) -> SoundText:
    model = tiny_clap() if weights in (None, PRETRAINED) else tiny_clap(weights=Path(weights))
    return SoundText(model, tiny_tokenizer(), RepeatedLogMel(tiny_log_mel(), TINY.rate), TINY.rate)


def _clip(name: str, size: ClipSize, weights: str | Path | None, vocabulary: str | Path | None) -> ImageText:
    file = name if weights == PRETRAINED else weights
    activation = clip_activation(weights)
    build = partial(clip_of_size, size, activation=activation)
    model = marked(_filled(name, build, import_clip, file, "visual"), activation)
    return ImageText(model, _read(name, vocabulary), size.size, CLIP_MEAN, CLIP_STD)


def _clap(weights: str | Path | None, vocabulary: str | Path | None) -> SoundText:
    file = "clap" if weights == PRETRAINED else weights
    model = _filled("clap_htsat", lambda: clap_model(htsat_tiny_audioset(), RobertaText()), import_clap, file, "audio")
    return SoundText(model, _read("clap_htsat", vocabulary), clap_front_end(), CLAP_RATE)


def _read(name: str, vocabulary: str | Path | None) -> Tokenizer:
    """Reads the files of a tokenizer, or returns one that refuses in words."""
    return MissingVocabulary(name) if vocabulary is None else FileTokenizer(vocabulary, context=CONTEXT)


def clap_front_end() -> nn.Module:
    """Builds the front end of CLAP: every second is repeated to ten, at 48 kHz, 100 log-mel frames per second."""
    log_mel = LogMel(CLAP_RATE, n_fft=1024, hop=480, mels=64, fmin=50.0, fmax=14_000.0)
    return RepeatedLogMel(log_mel, 10 * CLAP_RATE)


def _filled(
    name: str,
    build: Callable[[], DualEncoder],
    importer: Callable[..., Imported],
    weights: str | Path | None,
    side: str,
) -> DualEncoder:
    """Builds a model, with the weights of a file, or with random ones and a warning."""
    if weights is None:
        with fixed_seed():
            model = build()
        warn_if_random(name, False, side)
        return model
    checkpoint = read_weights(weights)
    if importer is import_clip:
        warn_of_activation(weights, checkpoint.tensors)
    with torch.device("meta"):  # no time and memory for random weights that the file replaces
        model = build()
    logger.info("%s", importer(model, checkpoint))
    return model


IMAGE_TEXT: Mapping[str, Callable[[str | Path | None, str | Path | None], ImageText]] = {
    "tiny_clip": _tiny_clip,
    **{name: partial(_clip, name, size) for name, size in CLIP_SIZES.items()},
}
SOUND_TEXT: Mapping[str, Callable[[str | Path | None, str | Path | None], SoundText]] = {
    "tiny_clap": _tiny_clap,
    "clap_htsat": _clap,
}
