"""Checkpoints of a run: written whole or not at all, found again, and resumed in a folder that was moved."""

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from crossmodal.checkpoints import adapter_state
from crossmodal.io import write_whole

from .lightning_module import SystemTraining

CHECKPOINTS, LAST = "checkpoints", "last.ckpt"


class Last(NamedTuple):
    """Checkpoint at which a run goes on.

    Attributes:
        file: The checkpoint.
        step: Steps behind it.
    """

    file: Path
    step: int


def last_checkpoint(run: Path, training: SystemTraining) -> Last | None:
    """Returns the last checkpoint of a run, or `None` where nothing was saved.

    Raises:
        ValueError: If it is damaged or of another model.
    """
    file = run / CHECKPOINTS / LAST
    if not file.is_file():
        return None
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"run {run} cannot be resumed: {file} is damaged ({error}); start it anew.") from error
    ours = {f"system.{name}": tensor for name, tensor in adapter_state(training.system).items()}
    rows = differences(ours, stored["state_dict"])
    if rows:
        raise ValueError("\n".join([f"run {run} cannot be resumed with another model:", *rows[:20]]))
    return Last(file, stored["global_step"])


def differences(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> list[str]:
    """Returns a line per tensor that is missing, left over, or of another shape."""
    rows = [f"  {name}: missing from the file" for name in ours.keys() - theirs.keys()]
    rows += [f"  {name}: in the file, not in the model" for name in theirs.keys() - ours.keys()]
    for name in ours.keys() & theirs.keys():
        if (here := tuple(ours[name].shape)) != (there := tuple(theirs[name].shape)):
            rows.append(f"  {name}: {there} in the file, {here} here")
    return sorted(rows)


def resume_command(run: Path, task: str) -> str:
    """Returns the command that goes on with a run."""
    return f"crossmodal {task} fit --runs {run.parent} --name {run.name} --resume true"


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the one before, and then in its place.

    Lightning's own writer fills a file in the folder for temporary files and moves it. Where that is another disk,
    moving is copying, and a kill meanwhile leaves half a checkpoint where the last good one was.
    """

    def __init__(self, run: Path, task: str):
        """Names the run whose checkpoints these are."""
        self.run, self.task = run, task

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
            raise OSError(
                f"{str(error).rstrip('.')} ({kept}); go on with: {resume_command(self.run, self.task)}"
            ) from error


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
