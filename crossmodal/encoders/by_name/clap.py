"""The audio side of CLAP from transformers, with the log-mel spectrogram that it was trained on."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...audio import LogMel, RepeatedLogMel
from ...injection import sections_of
from ...site import folded_axes
from .backbone import AudioBackbone, fixed_seed, warn_if_random
from .cutting import find_blocks
from .libraries import load_config, load_transformers, read_json


def clap(folder: str, *, weights: str | Path | None, options: Mapping[str, Any]) -> AudioBackbone:
    """Builds the audio side of a CLAP, with the log-mel spectrogram that it was trained on.

    Args:
        folder: A folder that `save_pretrained` wrote.
        weights: A file; with `None` those of the folder, or random ones if it has none.
        options: Entries of the configuration to change.

    Raises:
        ValueError: If the model is no CLAP, or as `load_config`, `load_transformers` and `sections_of`.
    """
    config = load_config(folder, "audio_config", options)
    if not hasattr(config, "spec_size"):
        raise ValueError(
            f"transformers:{folder} is a {config.model_type}: of its sound models CLAP alone is known here."
        )
    front_end = read_json(folder, "preprocessor_config.json")
    rate, hop, mels = front_end.get("sampling_rate", 48_000), front_end.get("hop_length", 480), config.num_mel_bins
    band = {"fmin": float(front_end.get("frequency_min", 50)), "fmax": float(front_end.get("frequency_max", 14_000))}
    chunks = config.spec_size // mels
    frames = min(10 * rate // hop + 1, config.spec_size * chunks)  # CLAP was trained on ten seconds
    with fixed_seed():
        model, trained = load_transformers(folder, config, weights)
        example, axes = torch.rand(2, 1, frames, mels), partial(folded_axes, chunks=chunks)
        encoder = sections_of(model.eval(), find_blocks(model, folder), example, axes=axes)
    warn_if_random(f"transformers:{folder}", trained, "audio")
    log_mel = LogMel(rate, n_fft=front_end.get("fft_window_size", 1024), hop=hop, mels=mels, **band)
    sound = nn.Sequential(RepeatedLogMel(log_mel, (frames - 1) * hop), OneChannel())
    return AudioBackbone(encoder, encoder.sites[-1].width, sound, rate)


class OneChannel(nn.Module):
    """Adds the channel dimension that transformers expects: `(frame, time, mel)` → `(frame, 1, time, mel)`."""

    def forward(self, log_mel: Tensor) -> Tensor:
        """Adds the dimension."""
        return log_mel[:, None]
