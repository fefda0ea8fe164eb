"""A cache of what frozen encoders say of clips: a file of tensors each, written whole or not at all."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..injection import SideLockstep, fingerprint
from ..injection.freezing import stays_in_eval
from ..io import make_folder, write_whole

HEADER = "header.json"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class FeatureCache:
    """Features by the name of their clip: `<folder>/<clip>.safetensors`, and `<folder>/header.json`.

    Any number of processes may read and write at once; one that is killed leaves nothing half-written under a name, and
    what is there need not be computed again. Files are mapped into memory: what is not touched is not read.

    - `folder`: made where there is none.
    - `facts`: what the features follow from, name → text; `features_follow_from` gives them of a lockstep. Where they
      agree, a name must mean one clip.
    - `dtype`: `"float32"` keeps every bit, `"bfloat16"` and `"float16"` take half the room.

    Raises `ValueError` where the folder holds features that follow from something else, `OSError` where it cannot be
    written.
    """

    def __init__(self, folder: str | Path, facts: Mapping[str, str], *, dtype: str = "float32"):
        if dtype not in DTYPES:
            raise ValueError(f"FeatureCache: dtype={dtype!r} must be one of {', '.join(map(repr, DTYPES))}.")
        self.folder, self.dtype = Path(folder), DTYPES[dtype]
        self.facts = {**facts, "dtype": dtype}
        self._open()

    def __contains__(self, clip: str) -> bool:
        return self.file(clip).is_file()

    def file(self, clip: str) -> Path:
        """Where the features of a clip lie."""
        return self.folder / f"{quote(clip, safe='#')}.safetensors"

    def missing(self, clips: Iterable[str]) -> list[str]:
        """Those of `clips` that are not there yet, in their order."""
        there = {entry.name for entry in os.scandir(self.folder)}
        return [clip for clip in clips if self.file(clip).name not in there]

    def add(self, clip: str, features: Mapping[str, Tensor]) -> None:
        """Keeps the features of a clip, site → stream, and what else is given by name: whole numbers as they are.

        Raises `ValueError` where a number is too large for the dtype, `OSError` where it cannot be written.
        """
        kept = {site: self._kept(stream) for site, stream in features.items()}
        for site, stream in kept.items():
            if not stream.isfinite().all():
                largest = features[site].abs().amax().item()
                raise ValueError(
                    f"FeatureCache: {site} of clip {clip!r} reaches {largest:.4g}, which {self.facts['dtype']} cannot "
                    "hold: take dtype='bfloat16' or 'float32', and another folder."
                )
        self._write(self.file(clip), save(kept))

    def read(self, clip: str) -> dict[str, Tensor]:
        """The features of a clip, in the dtype of the cache.

        Raises `FileNotFoundError` for a clip that is not there, `ValueError` for a file that is damaged.
        """
        file = self.file(clip)
        if not file.is_file():
            raise FileNotFoundError(f"FeatureCache: {self.folder}/ has no clip {clip!r}: fill the cache first.")
        try:
            with safe_open(file, "pt") as stored:
                return {site: stored.get_tensor(site) for site in stored.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError as error:
            raise ValueError(f"FeatureCache: {file} is damaged ({error}): delete it, and fill again.") from error

    def _kept(self, stream: Tensor) -> Tensor:
        dtype = self.dtype if stream.is_floating_point() else stream.dtype
        return stream.detach().to("cpu", dtype).contiguous()

    def _open(self) -> None:
        """Makes the folder, or checks that it is of the same facts."""
        header = self.folder / HEADER
        if not header.is_file():
            make_folder(self.folder, before="FeatureCache: ", fix="name another")
            self._write(header, json.dumps(self.facts, indent=2).encode())
        found = json.loads(header.read_text("utf-8"))
        names = sorted(name for name in {*found, *self.facts} if found.get(name) != self.facts.get(name))
        if names:
            both = "; ".join(f"{name}: {found.get(name)!r} there, {self.facts.get(name)!r} now" for name in names)
            raise ValueError(
                f"FeatureCache: the features in {self.folder}/ follow from something else ({both}): name another."
            )

    def _write(self, file: Path, content: bytes) -> None:
        write_whole(file, content, before="FeatureCache: ", fix="make room there, or name another folder")


def features_follow_from(lockstep: SideLockstep, **facts: str) -> dict[str, str]:
    """The facts of a `FeatureCache`: the fingerprint of every encoder, the sites that are read, and `facts`.

    - `facts`: what else decides, such as `preprocess=repr(model.preprocess)` and `sound=repr(model.sound)`.

    Raises `ValueError` where an encoder is not held in evaluation mode: it would say something else every epoch.
    """
    for name, encoder in lockstep.encoders.items():
        if not all(map(stays_in_eval, encoder.modules())):
            raise ValueError(
                f"FeatureCache: the encoder {name!r} follows train(), so that its features change from epoch to epoch: "
                "freeze(encoder) it."
            )
    prints = {f"encoder {name}": fingerprint(lockstep.encoder(name)) for name in lockstep.streams}
    return {**prints, "sites": " ".join(sorted(lockstep.reads)), **facts}


def cache_bytes(lockstep: SideLockstep, frames: int, *, dtype: str = "float32") -> int:
    """The bytes that the features of so many frames take on disk, known before any is computed."""
    size = {f"{name}.{site.name}": site.tokens * site.width for name, of in lockstep.sites.items() for site in of}
    return frames * DTYPES[dtype].itemsize * sum(size[site] for site in lockstep.reads)
