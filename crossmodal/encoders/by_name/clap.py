"""The sound side of CLAP, as transformers has it, with the log-mel that it was trained on."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crossmodal.audio import LogMel
from crossmodal.encoders.by_name.cutting import points_of
from crossmodal.encoders.by_name.kinds import Hearing, tell, the_same_numbers
from crossmodal.encoders.by_name.libraries import configuration, from_folder, stored
from crossmodal.injection import sections_of
from crossmodal.site import folded_axes
from crossmodal.audio.repeated import RepeatedLogMel


def clap(folder: str, *, weights: str | Path | None, options: Mapping[str, Any]) -> Hearing:
    """The sound side of transformers' CLAP, with the log-mel that it was trained on."""
    config = configuration(folder, "audio_config", options)
    if not hasattr(config, "spec_size"):
        raise ValueError(
            f"transformers:{folder} is a {config.model_type}: of its sound models CLAP alone is known here."
        )
    says = stored(folder, "preprocessor_config.json")
    rate, hop, mels = says.get("sampling_rate", 48_000), says.get("hop_length", 480), config.num_mel_bins
    ends = {"fmin": float(says.get("frequency_min", 50)), "fmax": float(says.get("frequency_max", 14_000))}
    chunks = config.spec_size // mels
    frames = min(10 * rate // hop + 1, config.spec_size * chunks)
    with the_same_numbers():
        model, trained = from_folder(folder, config, weights)
        example, axes = torch.rand(2, 1, frames, mels), partial(folded_axes, chunks=chunks)
        encoder = sections_of(model.eval(), points_of(model, folder), example, axes=axes)
    tell(f"transformers:{folder}", trained, "audio")
    log_mel = LogMel(rate, n_fft=says.get("fft_window_size", 1024), hop=hop, mels=mels, **ends)
    return Hearing(
        encoder, encoder.sites[-1].width, nn.Sequential(RepeatedLogMel(log_mel, (frames - 1) * hop), OneChannel()), rate
    )


class OneChannel(nn.Module):
    """A log-mel as a picture of one channel, as transformers takes it."""

    def forward(self, log_mel: Tensor) -> Tensor:
        """`(frame, time, mel)` → `(frame, 1, time, mel)`."""
        return log_mel[:, None]
