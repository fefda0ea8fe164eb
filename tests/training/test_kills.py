"""A run killed by SIGKILL at any moment goes on from its last checkpoint and ends as one that was not, bit for bit."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from forked import Forked

SMALL = [
    "--data.clips=6", "--data.held_out=2", "--data.batch_size=2", "--trainer.max_epochs=2",
    "--trainer.log_every_n_steps=1", "--trainer.enable_progress_bar=false",
]  # fmt: skip
ALWAYS = "--save_minutes=0"
RESULTS = ("adapters.safetensors", "metrics.csv", "predictions.csv")


@pytest.fixture(scope="module")
def forked():
    with Forked() as forked:
        yield forked


@pytest.fixture(scope="module")
def whole(forked, tmp_path_factory):
    """A run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert forked(folder, "ave", "fit", "--name", "run", *SMALL) == 0, said(folder)
    return folder / "runs/run"


@pytest.mark.parametrize(
    ("workers", "kills"),
    [
        # the first write is the configuration, before which there is nothing to resume; a checkpoint is the third
        # write of a run: configuration and metrics come before, or a checkpoint already
        (0, [{"write": 3}, {"validation": 1}]),
        pytest.param(1, [{"step": 4}], marks=pytest.mark.slow),
        pytest.param(
            0,
            [{"write": 1}, {"write": 3}, {"step": 2}, {"write": 3}, {"validation": 1}, {"test": 0}],
            marks=pytest.mark.slow,
        ),
        pytest.param(0, [{"step": 0}, {"step": 2}, {"step": 3}, {"write": 3}, {"step": 5}], marks=pytest.mark.slow),
        pytest.param(1, [{"step": 1}, {"step": 4}], marks=pytest.mark.slow),
    ],
    ids=["while writing", "with a worker", "between writes and while writing", "at every step", "with a worker, twice"],
)
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(forked, whole, tmp_path, workers, kills):
    for kill in kills:
        assert fit(forked, tmp_path, f"--data.workers={workers}", **kill) == -signal.SIGKILL, said(tmp_path)
        if step := kill.get("step"):
            assert steps_behind(tmp_path / "runs/run") == step
    assert fit(forked, tmp_path, f"--data.workers={workers}") == 0, said(tmp_path)
    assert_equal_runs(tmp_path / "runs/run", whole)
    assert not list((tmp_path / "runs/run").rglob(".*"))


def fit(forked, folder, *words, **kill):
    going_on = ["--resume=true"] if (folder / "runs/run/config.yaml").is_file() else [ALWAYS, *SMALL]
    return forked(folder, "ave", "fit", "--name", "run", *going_on, *words, **kill)


def steps_behind(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"]


def said(folder):
    return (folder / "said").read_text()


@pytest.mark.slow
def test_twenty_kills_at_random_moments_of_twenty(forked, whole, tmp_path):
    """Moments in seconds of computing, which a busy machine does not stretch; imports lie before them."""
    length = forked.timed(tmp_path, "ave", "fit", "--name", "timed", *SMALL)[1]
    moments = random.Random(0)
    for index in range(20):
        run, moment = tmp_path / "runs" / f"killed-{index}", moments.uniform(0, length)
        fit_until = forked(tmp_path, "ave", "fit", "--name", run.name, ALWAYS, *SMALL, seconds=moment)
        print(f"{index}: {moment:.2f} of {length:.2f} s, exit {fit_until}, {found(run)}", flush=True)
        assert fit_until == -signal.SIGKILL
        going_on = ["--resume=true"] if (run / "config.yaml").is_file() else [ALWAYS, *SMALL]
        assert forked(tmp_path, "ave", "fit", "--name", run.name, *going_on) == 0, said(tmp_path)
        assert_equal_runs(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_a_command_line_that_is_killed(forked, whole, tmp_path, share):
    """The command line itself in a process of its own, its start included."""
    begun, run = time.monotonic(), tmp_path / "runs/run"
    assert command(tmp_path, "other", *SMALL).wait() == 0
    length = time.monotonic() - begun
    process = command(tmp_path, "run", ALWAYS, *SMALL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=share * length)
    process.kill()
    process.wait()
    print(f"killed after {share} of {length:.0f} s, {found(run)}", flush=True)
    going_on = ["--resume=true"] if (run / "config.yaml").is_file() else [ALWAYS, *SMALL]
    assert command(tmp_path, "run", *going_on).wait() == 0
    assert_equal_runs(run, whole)


def command(folder, name, *words):
    """The command line itself, in one thread."""
    repository = Path(__file__).parents[2]
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
    words = [sys.executable, "-m", "crossmodal", "ave", "fit", "--name", name, *words]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(words, cwd=folder, env=alone, stdout=log, stderr=log)


def found(run):
    """What a kill left."""
    if not (run / "config.yaml").is_file():
        return "nothing written"
    if not (file := run / "checkpoints/last.ckpt").is_file():
        return "no checkpoint"
    stored = torch.load(file, weights_only=True)
    place = "within an epoch" if "between_steps" in stored else "behind an epoch"
    parts = [str(part.relative_to(run)) for part in run.rglob(".*")]
    done = [name for name in (*RESULTS, "summary.json") if (run / name).is_file()]
    return f"{stored['global_step']} steps, {place}, {', '.join([*done, *parts])}"


def assert_equal_runs(run, other):
    """All that two runs leave is the same in every bit, but for the time they took."""
    for name in RESULTS:
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    one, two = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in (run, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        torch.testing.assert_close(one[part], two[part], rtol=0, atol=0)
