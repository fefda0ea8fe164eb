"""Runs commands in processes of their own that may be killed, forked off one that has built and called a model.

`python tests/forked.py` reads a line of JSON for every command: its folder, words, and what to do to it.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path


def kill_at(function, when):
    """`function`, but the process is killed by SIGKILL, as by a power cut, at the first call for which `when` holds."""

    def killing(*arguments):
        if when(*arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    return killing


def prepare(*, step=None, validation=None, write=None, test=None, largest_file=None):
    """Kills at a training step, in a validation, at the n-th write of a file, in the test; limits files, in bytes."""
    from crossmodal.training.lightning_module import SystemTraining as Task

    writes = []
    if step is not None:
        Task.training_step = kill_at(Task.training_step, lambda task, *_: task.global_step == step)
    if validation is not None:
        Task.validation_step = kill_at(Task.validation_step, lambda task, *_: task.current_epoch == validation)
    if test is not None:
        Task.test_step = kill_at(Task.test_step, lambda task, batch, index: index == test)
    if write is not None:
        os.fsync = kill_at(os.fsync, lambda file: writes.append(file) or len(writes) == write)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))


class Forked:
    """A process that forks off commands; a context."""

    def __enter__(self):
        command = [sys.executable, __file__]
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __call__(self, folder, *words, seconds=None, **prepared):
        """The exit code of a command, negative where a signal ended it; what it says lies in `folder/said`.

        `seconds`: kill it once it has computed for so long. `prepared`: see `prepare`.
        """
        return self.timed(folder, *words, seconds=seconds, **prepared)[0]

    def timed(self, folder, *words, seconds=None, **prepared):
        """The exit code, and how many seconds the command computed."""
        print(json.dumps([str(folder), words, seconds, prepared]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def child(folder, words, prepared):
    """Becomes the command."""
    os.chdir(folder)
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    prepare(**prepared)
    code = main(words)
    sys.stdout.flush()
    os._exit(code)


def warm():
    """Does once what every command would do again: the first forward of a process takes seconds.

    Nothing is differentiated here: torch differentiates in no process that is forked off one that has.
    """
    import torch
    from systems import parsed

    from crossmodal.data.world import World
    from crossmodal.evaluation.report import report
    from crossmodal.tasks import ave
    from crossmodal.training.run import build

    report.SHOWN_ITEMS = 0  # each takes long
    parser, given = parsed()
    clip = World("val", clips=1)[0]
    with torch.no_grad():
        build(parser.instantiate(given), World().classes, ave.TASK).score(clip.frames[None], clip.wave[None])


def watched(process, seconds):
    """Waits for a process, and kills it once it has computed for so long; its exit code, and how long it computed."""
    while not (ended := os.wait4(process, os.WNOHANG if seconds else 0))[0]:
        if seconds <= time.clock_gettime(~process << 3 | 2):  # Linux: the clock of another process
            os.kill(process, signal.SIGKILL)
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1]), ended[2].ru_utime + ended[2].ru_stime


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import crossmodal.cli.predict  # noqa: F401
    from crossmodal.cli.main import main

    warm()
    for line in sys.stdin:
        folder, words, seconds, prepared = json.loads(line)
        if not (process := os.fork()):
            child(folder, words, prepared)
        print(json.dumps(watched(process, seconds)), flush=True)
