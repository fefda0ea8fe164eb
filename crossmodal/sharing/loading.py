"""One call from a run, a saved folder or a hub to the trained system."""

import re
from collections.abc import Mapping
from pathlib import Path

from crossmodal.checkpoints import read_header
from crossmodal.installed_by import installed_by
from crossmodal.tasks.resolve import find_task
from crossmodal.tasks.task import SystemModule
from crossmodal.training.run import load_run
from crossmodal.training.run_folder import ADAPTERS, CONFIG, task_of

from .saved_folder import ADAPTER_CONFIG, load_folder
from .system_options import BUILT_FROM, options_of_run

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def load(place: str | Path, *, trusted: bool = False, files: Mapping[str, str | Path] | None = None) -> SystemModule:
    """Returns a trained system in evaluation mode, with its classes, its preprocessing and what it was built from.

    `system.classes` is its label vocabulary, `system.inputs.preprocess` makes clips as it reads them, and
    `system.built_from` holds its options. It has the precision that it was trained in: one of a training in float64
    takes clips in float64.

    Args:
        place: Folder of a finished run, a folder that `save` wrote, or the name of one on the Hugging Face hub,
            `"user/name"`. A folder of one's own disk may name components of one's own, which are imported.
        trusted: Whether a folder from the hub may name components of other packages, too: importing them runs code.
        files: Keyword of the system, such as `visual_weights` → path of the file that a saved folder names and does not
            hold; those that lie in the folder need not be given.

    Raises:
        ImportError: If a name of a hub is given, and huggingface_hub is not installed.
        OSError: If there is no such place, or a file in it cannot be read.
        ValueError: If the folder is damaged, of a later version, or belongs to another model or other encoders; if one
            from the hub is not trusted and names more than components of this library.
    """
    folder = Path(place)
    if (folder / ADAPTER_CONFIG).is_file() or (folder.is_dir() and not (folder / CONFIG).is_file()):
        return load_folder(folder, files=files)
    if folder.is_dir():
        if files:
            raise ValueError(f"load: {place} is a run, whose config.yaml says where its files are: leave out files=.")
        return _load_finished(folder)
    if not folder.exists() and HUB_ID.fullmatch(str(place)):
        try:
            from .hub import SharedSystem
        except ModuleNotFoundError as error:
            raise ImportError(
                f"load: {place} is a name of a hub, which needs {error.name}: {installed_by('huggingface_hub')}."
            ) from error
        return SharedSystem.from_pretrained(str(place), trusted=trusted, files=files).system
    raise FileNotFoundError(
        f"load: {place} is no folder, and no name of a hub, which looks like user/name: give the folder of a finished "
        "run, or one that crossmodal.save wrote."
    )


def _load_finished(run: Path) -> SystemModule:
    """Loads the system of a finished run."""
    if not (run / ADAPTERS).is_file():
        raise FileNotFoundError(f"load: run {run} has no {ADAPTERS}: its training has not ended; go on by --resume.")
    task = str(read_header(run / ADAPTERS).get("task_module", task_of(run)))  # earlier runs: tasks of ours
    system, _ = load_run(run, find_task(task))
    setattr(system, BUILT_FROM, options_of_run(run, task))
    return system
