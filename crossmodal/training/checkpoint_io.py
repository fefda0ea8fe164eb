"""Checkpoints of a run: written whole or not at all, found again, and resumed in a folder that was moved."""

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from crossmodal.checkpoints import adapter_state
from crossmodal.checkpoints.trained_state import is_extra
from crossmodal.data.vocabulary import as_text, from_text, parted
from crossmodal.io import write_whole

from .lightning_module import LABELS, SystemTraining

CHECKPOINTS, LAST, BEST = "checkpoints", "last.ckpt", "best.ckpt"


class Last(NamedTuple):
    """Checkpoint at which a run goes on.

    Attributes:
        file: The checkpoint.
        step: Steps behind it.
        damaged: A later one that cannot be read → why.
    """

    file: Path
    step: int
    damaged: Mapping[Path, str] = MappingProxyType({})


def last_checkpoint(run: Path, training: SystemTraining) -> Last | None:
    """Returns the last checkpoint of a run, or `None` where nothing was saved.

    Where the last one is damaged or gone it is the best one, whose weights are an earlier state of the same training.

    Raises:
        ValueError: If all that there are are damaged, or of another model.
    """
    damaged: dict[Path, str] = {}
    for file in (run / CHECKPOINTS / LAST, run / CHECKPOINTS / BEST):
        if not file.is_file():
            continue
        try:
            stored = read_checkpoint(file)
        except ValueError as error:
            damaged[file] = str(error)
            continue
        ours = {f"system.{name}": tensor for name, tensor in adapter_state(training.system).items()}
        rows = differences(ours, stored["state_dict"])
        if rows:
            raise ValueError("\n".join([f"run {run} cannot be resumed with another model:", *rows[:20]]))
        _check_labels(run, stored, training.system)
        return Last(file, stored["global_step"], damaged)
    if damaged:
        said = " and ".join(f"{file} is damaged ({reason})" for file, reason in damaged.items())
        raise ValueError(f"run {run} cannot be resumed: {said}; start it anew under another --name.")
    return None


def _check_labels(run: Path, stored: Mapping[str, Any], system: Any) -> None:
    """Refuses to go on with data of other labels; checkpoints of earlier versions do not say theirs.

    Raises:
        ValueError: Naming the first label that differs.
    """
    given = getattr(system, "classes", ())
    known = from_text(stored.get(LABELS, as_text(given)))
    if not getattr(system, "labels_are_unread", False) and (said := parted(known, given)):
        raise ValueError(
            f"run {run} cannot be resumed on data of other labels: {said}: bring back the data that it was begun with, "
            "or start it anew under another --name."
        )


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Reads a checkpoint of a training; its check sums are compared, which torch itself does not.

    Raises:
        ValueError: Saying what is wrong, if it is damaged or no checkpoint.
    """
    try:
        with ZipFile(file) as archive:
            if part := archive.testzip():
                raise ValueError(f"the check sum of its part {part} does not fit")
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, BadZipFile, NotImplementedError, OSError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    found: dict[str, Any] = stored if isinstance(stored, dict) else {}
    if missing := [key for key in ("state_dict", "global_step", "loops") if key not in found]:
        raise ValueError(f"it holds no {missing[0]}")
    return found


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Returns a line per entry of a state that is missing, left over, of another kind, or a tensor of another shape.

    Extra state of a module is whatever the module makes of it: its size may grow with the training.

    Args:
        ours: State of the model: tensors, and extra state as it is or as bytes.
        theirs: State in the file.
    """
    rows = [f"  {name}: missing from the file" for name in ours.keys() - theirs.keys()]
    rows += [f"  {name}: in the file, not in the model" for name in theirs.keys() - ours.keys()]
    for name in ours.keys() & theirs.keys():
        here, there = (_shape_or_kind(state[name]) for state in (ours, theirs))
        if here != there and not is_extra(name):
            rows.append(f"  {name}: {there} in the file, {here} here")
    return sorted(rows)


def _shape_or_kind(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the one before, and then in its place.

    Lightning's own writer fills a file in the folder for temporary files and moves it. Where that is another disk,
    moving is copying, and a kill meanwhile leaves half a checkpoint where the last good one was.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint; called by Lightning in the first process.

        Raises:
            OSError: If it cannot be written; the one before it is kept.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, content.getbuffer())
        except OSError as error:
            kept = "the checkpoint before it is whole" if file.is_file() else "there is none before it"
            raise OSError(f"{str(error).rstrip('.')} ({kept}).") from error


class Checkpoints(ModelCheckpoint):
    """Checkpoints in a folder that may have been moved since the run was interrupted."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state by the names of the files."""

        def here(file: str) -> str:
            return str(Path(self.dirpath or ".") / Path(file).name) if file else file

        # Lightning keeps whole paths: those of the folder before it was moved
        names = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        kept = {here(file): score for file, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **names, "best_k_models": kept, "dirpath": self.dirpath})
