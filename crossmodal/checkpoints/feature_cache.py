"""A cache of the features of frozen encoders on disk: one safetensors file for each clip."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..injection import SideLockstep, architecture_digest, fingerprint
from ..injection.freezing import stays_in_eval
from ..io import make_folder, write_whole

HEADER = "header.json"
SUFFIX = ".safetensors"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class FeatureCache:
    """Features of clips by name: `<folder>/<clip>.safetensors`, and `<folder>/header.json`.

    Any number of processes may read and write at once. A process that is killed leaves no incomplete file under a
    clip's name, and clips that are there need not be computed again. Files are memory-mapped: a tensor that is not
    used is not read.
    """

    def __init__(self, folder: str | Path, facts: Mapping[str, str], *, dtype: str = "float32"):
        """Opens the cache, or creates it.

        Args:
            folder: Created if it does not exist.
            facts: Everything that determines the features, name → text; `features_follow_from` returns it for a
                lockstep. Among caches with equal facts, a clip's name must stand for the same clip.
            dtype: `"float32"` stores features exactly; `"bfloat16"` and `"float16"` take half the space.

        Raises:
            ValueError: If the folder contains features with other facts, or `dtype` is unknown.
            OSError: If the folder cannot be written.
        """
        if dtype not in DTYPES:
            raise ValueError(f"FeatureCache: dtype={dtype!r} must be one of {', '.join(map(repr, DTYPES))}.")
        self.folder, self.dtype = Path(folder), DTYPES[dtype]
        self.facts = {**facts, "dtype": dtype}
        self._open()

    def __contains__(self, clip: str) -> bool:
        return self.file(clip).is_file()

    def file(self, clip: str) -> Path:
        """Returns the path of a clip's features, which need not exist."""
        # quoted, for a clip may be named by a path; `#1` stays readable
        return self.folder / f"{quote(clip, safe='#')}{SUFFIX}"

    def names(self) -> list[str]:
        """Returns the names of all clips that have features."""
        files = (entry.name for entry in os.scandir(self.folder))
        return sorted(unquote(file.removesuffix(SUFFIX)) for file in files if file.endswith(SUFFIX))

    def missing(self, clips: Iterable[str]) -> list[str]:
        """Returns the clips that have no features yet, in the order given."""
        # one listing instead of a question for every clip
        there = {entry.name for entry in os.scandir(self.folder)}
        return [clip for clip in clips if self.file(clip).name not in there]

    def add(self, clip: str, features: Mapping[str, Tensor]) -> None:
        """Writes the features of a clip, whole or not at all.

        Args:
            clip: Its name.
            features: Site → stream, and other tensors by name; floating point is stored in the dtype of the cache,
                integers as they are.

        Raises:
            ValueError: If a number is too large for the dtype, or none at all.
            OSError: If the file cannot be written.
        """
        stored = {site: self._stored(stream) for site, stream in features.items()}
        for site, stream in stored.items():
            if not stream.isfinite().all():
                lost = (~features[site].isfinite()).sum().item()
                if lost:
                    raise ValueError(
                        f"FeatureCache: {site} of clip {clip!r} has {lost} numbers of {stream.numel()} that are NaN or "
                        "infinite as its encoder returns them, whatever the dtype: look at the clip, and run the "
                        "encoder in float32."
                    )
                largest = features[site].abs().amax().item()
                raise ValueError(
                    f"FeatureCache: {site} of clip {clip!r} reaches {largest:.4g}, which {self.facts['dtype']} cannot "
                    "hold: take dtype='bfloat16' or 'float32', and another folder."
                )
        self._write(self.file(clip), save(stored))

    def read(self, clip: str) -> dict[str, Tensor]:
        """Reads the features of a clip, in the dtype of the cache.

        Raises:
            FileNotFoundError: If the clip has no features yet.
            ValueError: If its file is damaged.
        """
        file = self.file(clip)
        if not file.is_file():
            raise FileNotFoundError(f"FeatureCache: {self.folder}/ has no clip {clip!r}: fill the cache first.")
        try:
            with safe_open(file, "pt") as opened:
                return {site: opened.get_tensor(site) for site in opened.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise ValueError(f"FeatureCache: {file} is damaged ({error}): delete it, and fill again.") from error

    def _stored(self, stream: Tensor) -> Tensor:
        dtype = self.dtype if stream.is_floating_point() else stream.dtype
        return stream.detach().to("cpu", dtype).contiguous()

    def _open(self) -> None:
        """Creates the folder and its header, or compares the header with the facts."""
        header = self.folder / HEADER
        if not header.is_file():
            make_folder(self.folder, before="FeatureCache: ", fix="name another")
            self._write(header, json.dumps(self.facts, indent=2).encode())
        # Read back even when just written: another process may have replaced it in between.
        there = json.loads(header.read_text("utf-8"))
        names = sorted(name for name in {*there, *self.facts} if there.get(name) != self.facts.get(name))
        if names:
            both = "; ".join(f"{name}: {there.get(name)!r} there, {self.facts.get(name)!r} now" for name in names)
            raise ValueError(
                f"FeatureCache: the features in {self.folder}/ follow from something else ({both}): name another."
            )

    def _write(self, file: Path, content: bytes) -> None:
        write_whole(file, content, before="FeatureCache: ", fix="make room there, or name another folder")


def features_follow_from(lockstep: SideLockstep, **facts: str) -> dict[str, str]:
    """Returns the facts of a `FeatureCache`: weights and architecture of every encoder, the sites read, and `facts`.

    Args:
        lockstep: The model whose encoders compute the features.
        **facts: What else determines them, such as `preprocess=repr(model.preprocess)`.

    Raises:
        ValueError: If an encoder is not held in evaluation mode: its features would change from epoch to epoch.
    """
    for name, encoder in lockstep.encoders.items():
        if not all(map(stays_in_eval, encoder.modules())):
            raise ValueError(
                f"FeatureCache: the encoder {name!r} follows train(), so that its features change from epoch to epoch: "
                "freeze(encoder) it."
            )
    prints = {f"encoder {name}": fingerprint(lockstep.encoder(name)) for name in lockstep.streams}
    # equal weights may be used in different ways: another number of heads, another window
    built = {f"architecture {name}": architecture_digest(lockstep.encoder(name)) for name in lockstep.streams}
    return {**prints, **built, "sites": " ".join(sorted(lockstep.reads)), **facts}


def cache_bytes(lockstep: SideLockstep, frames: int, *, dtype: str = "float32") -> int:
    """Computes the bytes on disk of the features of `frames` frames, without computing a feature."""
    size = {f"{name}.{site.name}": site.tokens * site.width for name, of in lockstep.sites.items() for site in of}
    return frames * DTYPES[dtype].itemsize * sum(size[site] for site in lockstep.reads)
