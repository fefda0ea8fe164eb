"""Released weights: downloads those that a hub holds; says where to get the others and where to put them."""

import os
from pathlib import Path
from typing import NamedTuple


class ReleasedFile(NamedTuple):
    """A released file: its content, name and size, the page that holds it, and its repository if it is on the hub."""

    title: str
    file: str
    megabytes: int
    page: str
    hub: str | None = None


RELEASED_FILES = {
    "timm": ReleasedFile(
        "Swin-V2-L of ImageNet-22k, window 12 at 192²",
        "model.safetensors",
        917,
        "https://huggingface.co/timm/swinv2_large_window12_192.ms_in22k",
        hub="timm/swinv2_large_window12_192.ms_in22k",
    ),
    "clap": ReleasedFile(
        "CLAP without fusion, whose sound side is HTS-AT",
        "pytorch_model.bin",
        615,
        "https://huggingface.co/laion/clap-htsat-unfused",
        hub="laion/clap-htsat-unfused",
    ),
    "htsat": ReleasedFile(
        "HTS-AT of AudioSet",
        "HTSAT_AudioSet_Saved_1.ckpt",
        127,
        "a drive linked from the README of https://github.com/RetroCirce/HTS-Audio-Transformer",
    ),
    "dg_sct_ave": ReleasedFile(
        "DG-SCT of AVE, encoders included",
        "best_82.18.pt",
        1849,
        "a drive linked from the README of https://github.com/haoyi-duan/DG-SCT",
    ),
    **{
        name: ReleasedFile(f"CLIP {title}", "pytorch_model.bin", megabytes, f"https://huggingface.co/{hub}", hub=hub)
        for name, title, megabytes, hub in (
            ("clip_vit_b_32", "ViT-B/32", 605, "openai/clip-vit-base-patch32"),
            ("clip_vit_b_16", "ViT-B/16", 599, "openai/clip-vit-base-patch16"),
            ("clip_vit_l_14", "ViT-L/14", 1711, "openai/clip-vit-large-patch14"),
        )
    },
}
"""Released files by the names that `fetch` and the importers take."""


def fetch(name: str) -> Path:
    """Returns the path of a released file on this machine, and downloads it first if a hub holds it.

    Downloads go to the hub's own cache, once. Files that are on no hub are looked for in `$CROSSMODAL_WEIGHTS`, by
    default `~/.cache/crossmodal`.

    Args:
        name: `"timm"`, `"clap"`, `"clip_vit_b_32"`, `"htsat"`, `"dg_sct_ave"`, or another key of `RELEASED_FILES`.

    Raises:
        ValueError: If no file has this name.
        FileNotFoundError: If the file is on no hub and not in that folder; says what to get, its size, and where to
            put it.
        ImportError: If `huggingface_hub` (extra `hub`) is needed and not installed.
        ConnectionError: If the hub cannot be reached.
    """
    if name not in RELEASED_FILES:
        raise ValueError(f"fetch: {name!r} is none of {', '.join(RELEASED_FILES)}.")
    released = RELEASED_FILES[name]
    if released.hub is not None:
        return _download(released.hub, released)
    file = Path(os.environ.get("CROSSMODAL_WEIGHTS") or Path.home() / ".cache" / "crossmodal") / released.file
    if not file.is_file():
        raise FileNotFoundError(
            f"{released.title} is on no hub. Get {released.file} (tensors of {released.megabytes} MB) from "
            f"{released.page}, and put it at {file}, or pass the path of where it is instead of {name!r}."
        )
    return file


def _download(hub: str, released: ReleasedFile) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise ImportError(
            f'fetch: {released.title} is fetched by huggingface_hub: pip install "crossmodal-blocks[hub]". '
            f"Or get {released.file} ({released.megabytes} MB) from {released.page} and pass its path."
        ) from error
    try:
        return Path(hf_hub_download(hub, released.file))
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"fetch: {released.file} ({released.megabytes} MB) could not be fetched from {released.page}: {error}. Try "
            f"again, it goes on where it stopped; or get it in another way and pass its path."
        ) from error
