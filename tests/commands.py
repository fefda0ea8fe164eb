"""Runs commands as the console script does, without a new process, in a folder of a test's own."""

import contextlib
import csv
import io
import runpy
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from crossmodal.cli.main import main

SMALL = [
    "--data.clips=4",
    "--data.held_out=2",
    "--data.batch_size=2",
    "--trainer.max_epochs=2",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
]
MINE = '''
import torch
from torch import nn


class TopK(nn.Module):
    """Spatial guidance that keeps the `k` best tokens."""

    def __init__(self, channels: int, cue_channels: int, *, k: int = 4):
        super().__init__()
        self.k, self.proj = k, nn.Linear(cue_channels, channels)

    def forward(self, stream, cue):
        score = (stream @ self.proj(cue)[:, :, None]).sigmoid()
        least = score.topk(min(self.k, score.shape[1]), dim=1).values[:, -1:]
        return torch.where(score >= least, score, 0 * score)
'''


ALONE = '''
from torch import nn
from torch.nn import functional as F

from crossmodal.data import Preprocess
from crossmodal.heads.events import DecodedEvents
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.task import Clips

SETTINGS = Settings()


class Alone(nn.Module):
    """Event of every second by the mean colour of its frame."""

    def __init__(self, classes):
        super().__init__()
        self.classes, self.inputs = tuple(classes), Clips(Preprocess(64, 16_000))
        self.head = nn.Linear(3, len(classes) + 1)

    def forward(self, batch):
        return self.head(batch.frames.mean((3, 4)))

    def loss(self, outputs, batch):
        return {"cross_entropy": F.cross_entropy(outputs.flatten(0, 1), batch.labels.flatten())}

    def predict(self, outputs):
        confidence, labels = outputs.softmax(2).max(2)
        return DecodedEvents(labels, confidence)


def alone(*, classes):
    """Builds the system."""
    return Alone(classes)
'''


class Said(NamedTuple):
    """What a command printed and returned."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def tested(self):
        """The lines on a test: on what was selected, scores, evidence, folder."""
        first = next(at for at, line in enumerate(self.lines) if line.startswith(("test ", "selected on")))
        last = next(at for at, line in enumerate(self.lines) if at > first and line.startswith("written to"))
        return self.lines[first : last + 1]


FITTED = "fitted.html"
"""In the folder `lab`: the report as `fit` left it, for other tests write that of the run anew, without items."""


def crossmodal(folder, *words, drawn=0):
    """Runs a command in `folder`, as the console script does; a report draws so many items, which takes long."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        if {"fit", "test"} & set(words):  # which import it in any case
            patch.setattr("crossmodal.evaluation.report.report.SHOWN_ITEMS", drawn)
        try:
            code = main([str(word) for word in words])
        except SystemExit as left:
            code = int(left.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def runs_here(patch):
    """Lets a sweep train its runs in this process, one after another: a process of its own takes seconds to begin."""
    from crossmodal.worker_pool import ThisProcess

    def run(command):
        said = crossmodal(command.folder, *command.words)
        Path(command.log).write_text(said.out + said.err, encoding="utf-8")
        return said.code

    patch.setattr("crossmodal.evaluation.sweep.run_logged", run)
    patch.setattr("crossmodal.evaluation.sweep.worker_pool", lambda *_, **__: contextlib.nullcontext(ThisProcess()))


def interrupted(folder, *words):
    """Runs a training that Ctrl-C ends in the second batch of its second epoch."""
    from crossmodal.training.lightning_module import SystemTraining

    handler, step = signal.getsignal(signal.SIGINT), SystemTraining.training_step

    def until(task, batch, index):
        if (task.current_epoch, index) == (1, 1):
            raise KeyboardInterrupt
        return step(task, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SystemTraining, "training_step", until)
        said = crossmodal(folder, "ave", "fit", *words)
    signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    return said


def metrics(run):
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def module(folder, name, *words):
    """What `python -m name` says in `folder`; its modules are forgotten afterwards."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setattr(sys, "argv", [name, *words])
        with pytest.raises(SystemExit) as left:
            runpy.run_module(name, run_name="__main__")
    for loaded in [key for key in sys.modules if key.split(".")[0] == name]:
        del sys.modules[loaded]
    return Said(left.value.code, out.getvalue(), err.getvalue())


def content(folder):
    """Every file under a folder, byte for byte."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
