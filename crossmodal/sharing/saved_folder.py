"""A trained system as a folder: `adapter_config.json`, from which it is rebuilt, its adapters, and a model card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossmodal import __version__
from crossmodal.checkpoints import load_adapters, save_adapters, with_dtype_of
from crossmodal.checkpoints.adapter_file import as_json
from crossmodal.data.vocabulary import as_text, from_text
from crossmodal.io import make_folder, whole_folder, write_whole
from crossmodal.tasks.pretrained import BEGAN_WITH, Beginning, is_replaced
from crossmodal.tasks.resolve import find_task
from crossmodal.tasks.task import SystemModule
from crossmodal.training.provenance import provenance
from crossmodal.training.run_folder import ADAPTERS

from .downloaded import check_downloaded
from .model_card import CARD, model_card
from .named_files import find_files, named_files, with_paths
from .system_options import BUILT_FROM, SystemOptions, build_system

ADAPTER_CONFIG, FORMAT = "adapter_config.json", 1
FILES = "files"
"""Entry of `adapter_config.json`: keyword → name of a file that the system is built from and the folder lacks."""
ENTRIES = (*SystemOptions._fields, "classes", "front_end", "frozen", "version")
"""Entries of `adapter_config.json` beside `format`: what the system is built from, and what it belongs to."""


def save(
    system: SystemModule,
    folder: str | Path,
    options: SystemOptions | None = None,
    *,
    summary: Mapping[str, Any] | None = None,
) -> None:
    """Writes a trained system as a folder that `load` takes, whole or not at all; what is frozen is left out.

    Args:
        system: The system.
        folder: The folder to write: a new one, or an empty one.
        options: What it was built from; by default what `load` or `build_system` has written on it.
        summary: Facts of its training for the model card, as a run's `summary.json` holds them.

    Raises:
        OSError: If the folder holds something, or cannot be written.
        ValueError: If nothing says what the system was built from.
    """
    folder = Path(folder)
    options = options or getattr(system, BUILT_FROM, None)
    if options is None:
        raise ValueError(
            f"save: this {type(system).__name__} does not say what it was built from: build it by "
            "crossmodal.sharing.build_system, or pass options=SystemOptions(task, system, {...})."
        )
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"save: {folder} exists and is no empty folder: choose another, or remove it.")
    options = _without_beginning(options, system)
    files = named_files(options)
    options = with_paths(options, files)
    header = _belongs_to(options, system)
    readable = {"task": options.task, "classes": json.loads(as_text(system.classes)), FILES: files}
    config = {"format": FORMAT, "version": __version__, **header, **readable}
    make_folder(folder.parent, before="save: ")
    with whole_folder(folder) as draft:
        save_adapters(system, draft / ADAPTERS, **header)
        write_whole(draft / CARD, model_card(options, system, summary or {}, files))
        written = json.dumps(as_json("save", config), indent=2, ensure_ascii=False)
        write_whole(draft / ADAPTER_CONFIG, written + "\n")


def _without_beginning(options: SystemOptions, system: SystemModule) -> SystemOptions:
    """Returns options without the run that a training began with, where what the folder holds replaces all of it."""
    began: Beginning | None = getattr(system, BEGAN_WITH, None)
    if began is None or not is_replaced(system):
        return options
    kept = {name: value for name, value in options.arguments.items() if not _is_path(value, began.path)}
    return options._replace(arguments=kept)


def _is_path(value: Any, path: Path) -> bool:
    """Returns whether the value of a keyword is that path."""
    return isinstance(value, (str, Path)) and Path(value) == path


def load_folder(
    folder: Path,
    *,
    trusted: bool = True,
    place: str | None = None,
    files: Mapping[str, str | Path] | None = None,
) -> SystemModule:
    """Rebuilds the system that `save` wrote, in evaluation mode and in the precision of its adapters.

    Args:
        folder: The folder.
        files: Keyword → path of the files that the folder names and does not hold, as `load` takes them.
        trusted: Whether it may name components of other packages, which are imported; `check_downloaded` refuses them.
        place: What errors name; by default the folder.

    Raises:
        OSError: If the folder, a file in it or a file that it names does not exist or cannot be read.
        ValueError: If a file is damaged or of a later format, the folder may not name what it names, or its adapters
            belong to another model or to other encoders.
    """
    place = place or str(folder)
    config = read_config(folder, place)
    options = SystemOptions(**{name: config[name] for name in SystemOptions._fields})
    if not trusted:
        check_downloaded(options, place)
    found_files = find_files(config.get(FILES, {}), files or {}, folder, place)
    try:
        system = build_system(with_paths(options, found_files), from_text(json.dumps(config["classes"])))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"load: {place}, saved by version {config['version']}, cannot be rebuilt by this version ({__version__}): "
            f"{error}"
        ) from error
    system = with_dtype_of(system, folder / ADAPTERS)  # before the fingerprint of what is frozen
    found = _belongs_to(options, system)
    if found["frozen"] != config["frozen"]:
        raise ValueError(
            f"load: {place} was trained on other encoders: its adapters belong to weights of fingerprint "
            f"{config['frozen'][:12]}, those built here have {found['frozen'][:12]}: get the files of weights that its "
            "model options name, in the same release of their library."
        )
    load_adapters(system, folder / ADAPTERS, **found)
    return system.eval()


def read_config(folder: Path, place: str) -> dict[str, Any]:
    """Returns the content of a folder's `adapter_config.json`.

    Raises:
        OSError: If the folder lacks a file.
        ValueError: If it is damaged, lacks an entry, or is of a later format.
    """
    for name in (ADAPTER_CONFIG, ADAPTERS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"load: {place} has no {name}: it is no folder that crossmodal.save wrote.")
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        form = config["format"]
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(f"load: {ADAPTER_CONFIG} of {place} is damaged ({error!r}): copy the folder again.") from error
    if not isinstance(form, int) or form > FORMAT:
        raise ValueError(
            f"load: {place} has format {form}, written by version {config.get('version')}; this version "
            f"({__version__}) reads formats up to {FORMAT}: install a later one."
        )
    missing = [name for name in ENTRIES if name not in config]
    missing += [name for name in ("arguments", FILES) if not isinstance(config.get(name, {}), dict)]
    if missing:
        raise ValueError(f"load: {ADAPTER_CONFIG} of {place} lacks {', '.join(missing)}: copy it again.")
    return dict(config)


def _belongs_to(options: SystemOptions, system: SystemModule) -> dict[str, Any]:
    """Returns what adapters of the system belong to: the header of their file."""
    found = provenance(options.system, options.arguments, system)
    return {**options._asdict(), "task": find_task(options.task).name, **found}
