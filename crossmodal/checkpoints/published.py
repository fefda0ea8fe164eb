"""Where released weights are had: fetched from a hub that holds them, asked for in words where none does."""

import os
from pathlib import Path
from typing import NamedTuple


class Published(NamedTuple):
    """A released file: what it is, its name and size in megabytes, where it is held, and on which hub, if on one."""

    title: str
    file: str
    megabytes: int
    held: str
    hub: str | None = None


PUBLISHED = {
    "timm": Published(
        "Swin-V2-L of ImageNet-22k, window 12 at 192²",
        "model.safetensors",
        917,
        "https://huggingface.co/timm/swinv2_large_window12_192.ms_in22k",
        hub="timm/swinv2_large_window12_192.ms_in22k",
    ),
    "clap": Published(
        "CLAP without fusion, whose sound side is HTS-AT",
        "pytorch_model.bin",
        615,
        "https://huggingface.co/laion/clap-htsat-unfused",
        hub="laion/clap-htsat-unfused",
    ),
    "htsat": Published(
        "HTS-AT of AudioSet",
        "HTSAT_AudioSet_Saved_1.ckpt",
        127,
        "a drive linked from the README of https://github.com/RetroCirce/HTS-Audio-Transformer",
    ),
    "dg_sct_ave": Published(
        "DG-SCT of AVE, encoders included",
        "best_82.18.pt",
        1849,
        "a drive linked from the README of https://github.com/haoyi-duan/DG-SCT",
    ),
}
"""Released files by the names under which `fetch` and every importer know them."""


def fetch(name: str) -> Path:
    """The file of that name on this machine: what a hub holds is downloaded once, into the hub's own cache.

    What no hub holds is looked for in `$CROSSMODAL_WEIGHTS` (default `~/.cache/crossmodal`); where it is not, a
    `FileNotFoundError` says what to get, how large it is, and where to put it. `ValueError` for another name,
    `ImportError` without `huggingface_hub` (extra `hub`), `ConnectionError` where the hub cannot be reached.
    """
    if name not in PUBLISHED:
        raise ValueError(f"fetch: {name!r} is none of {', '.join(PUBLISHED)}.")
    wanted = PUBLISHED[name]
    if wanted.hub is not None:
        return _from_hub(wanted.hub, wanted)
    file = Path(os.environ.get("CROSSMODAL_WEIGHTS") or Path.home() / ".cache" / "crossmodal") / wanted.file
    if not file.is_file():
        raise FileNotFoundError(
            f"{wanted.title} is on no hub. Get {wanted.file} (tensors of {wanted.megabytes} MB) from {wanted.held}, "
            f"and put it at {file}, or pass the path of where it is instead of {name!r}."
        )
    return file


def _from_hub(hub: str, wanted: Published) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ImportError(
            f'fetch: {wanted.title} is fetched by huggingface_hub: pip install "crossmodal-blocks[hub]". '
            f"Or get {wanted.file} ({wanted.megabytes} MB) from {wanted.held} and pass its path."
        ) from error
    try:
        return Path(hf_hub_download(hub, wanted.file))
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"fetch: {wanted.file} ({wanted.megabytes} MB) could not be fetched from {wanted.held}: {error}. Try "
            f"again, it goes on where it stopped; or get it in another way and pass its path."
        ) from error
