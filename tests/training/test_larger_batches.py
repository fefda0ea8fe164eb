"""A larger batch in parts: several processes, or accumulated gradients, take the steps of one with all of its clips."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from commands import crossmodal, metrics
from hypothesis import given
from hypothesis import strategies as st
from plain import PLAIN
from safetensors.torch import load_file

from crossmodal.heads import Events, event_loss
from crossmodal.training.mid_epoch import restore_random_states
from crossmodal.training.ranks import NAME, is_first, shared_name

REPOSITORY = Path(__file__).parents[2]
STOPS = """
import os

import pytorch_lightning as pl


class Stops(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if trainer.global_step == 2:
            os._exit(9)  # as a power cut: no process waits for another
"""
TWO = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.accelerator=cpu", "--data.batch_size=2"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A run of one process, in batches of four."""
    folder = tmp_path_factory.mktemp("one")
    said = crossmodal(folder, "ave", "fit", "--name", "run", "--data.batch_size=4", *PLAIN)
    assert said.code == 0, said.err
    return folder / "runs/run"


def test_two_batches_accumulated_are_one_of_twice_the_size(one, tmp_path):
    words = ["--data.batch_size=2", "--trainer.accumulate_grad_batches=2", "--save_minutes=0"]
    said = crossmodal(tmp_path, "ave", "fit", "--name", "run", *words, *PLAIN)
    assert said.code == 0, said.err
    assert_close_runs(tmp_path / "runs/run", one)


@given(st.integers(0, 4), st.integers(0, 10_000))
def test_the_loss_of_a_batch_is_the_mean_of_its_halves_where_as_many_clips_show_an_event(shown, seed):
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    events = Events(drawn(8, 5), drawn(8, 3), drawn(8, 3), drawn(8, 5).sigmoid())
    labels = torch.full((8, 5), 3)
    labels[:shown, 1:4] = labels[4 : 4 + shown, 1:4] = 1
    halves = [event_loss(Events(*(part[half] for part in events)), labels[half]) for half in (slice(4), slice(4, 8))]
    torch.testing.assert_close(event_loss(events, labels), torch.stack(halves).mean())


@pytest.mark.slow
def test_two_processes_end_as_one_with_the_batches_together(one, tmp_path):
    done = python(tmp_path, "-m", "crossmodal", "ave", "fit", *TWO, *PLAIN)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()  # both processes know the name that the first one chose
    assert_close_runs(run, one)
    first, *last = done.stdout.splitlines()
    assert first.endswith(f"run runs/{run.name}")
    said = [line.split("  ")[0] for line in last]
    assert [said.count(word) for word in ("system", "test accuracy", "chance", "written to")] == [2, 1, 1, 1]
    assert {file.name for file in run.iterdir()} <= {
        "adapters.safetensors", "checkpoints", "config.yaml", "metrics.csv", "predictions.csv", "report.html",
        "summary.json",
    }  # fmt: skip


@pytest.mark.slow
def test_torchrun_starts_the_processes_and_a_run_of_two_resumes(one, tmp_path):
    torchrun = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29511", "-m", "crossmodal"]
    words = ["ave", "fit", "--name", "run", *TWO, *PLAIN]
    first = python(tmp_path, *torchrun, *words, "--trainer.max_epochs=1", "--save_minutes=0")
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("test accuracy") == 1
    second = python(tmp_path, *torchrun, *words, "--resume=true")
    assert second.returncode == 0, second.stderr
    assert_close_runs(tmp_path / "runs/run", one)


def test_a_process_restores_its_own_row_of_the_random_states(monkeypatch):
    torch.manual_seed(1)
    states = {"cpu": torch.stack([torch.get_rng_state(), torch.get_rng_state()])}
    expected = torch.rand(3)
    states["cpu"][0] = 0
    restore_random_states(states, SimpleNamespace(global_rank=1))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_a_run_of_two_goes_on_within_an_epoch(tmp_path):
    plain = [*PLAIN, "--data.clips=8"]  # two steps an epoch: with one there is nothing within it
    said = crossmodal(tmp_path, "ave", "fit", "--name", "one", "--data.batch_size=4", *plain)
    assert said.code == 0, said.err
    (tmp_path / "stops.py").write_text(STOPS)
    first = python(
        tmp_path,
        "-m",
        "crossmodal",
        "ave",
        "fit",
        "--name=run",
        *TWO,
        *plain,
        "--save_minutes=0",
        "--trainer.callbacks+=stops.Stops",
    )
    assert first.returncode == 9, first.stderr
    stored = torch.load(tmp_path / "runs/run/checkpoints/last.ckpt", weights_only=True)
    assert stored["between_steps"]["epochs"]["processes"] == 2
    words = ["--resume=true", "--trainer.callbacks=null", "--save_minutes=0"]
    second = python(tmp_path, "-m", "crossmodal", "ave", "fit", "--name=run", *words)
    assert second.returncode == 0, second.stderr
    assert_close_runs(tmp_path / "runs/run", tmp_path / "runs/one")


@pytest.mark.slow
def test_sync_batchnorm_makes_the_statistics_those_of_all_processes(tmp_path):
    norm = ["--model.bottleneck.norm=crossmodal.adapters.TokenBatchNorm"]
    whole = python(tmp_path, "-m", "crossmodal", "ave", "fit", "--name=one", *PLAIN, *norm, "--data.batch_size=4")
    assert whole.returncode == 0, whole.stderr
    parted = ["--name=two", *TWO, *PLAIN, *norm, "--trainer.sync_batchnorm=true"]
    done = python(tmp_path, "-m", "crossmodal", "ave", "fit", *parted)
    assert done.returncode == 0, done.stderr
    assert_close_runs(tmp_path / "runs/two", tmp_path / "runs/one")


def test_processes_that_are_started_from_outside_need_a_name(monkeypatch):
    assert is_first()
    monkeypatch.setenv(NAME, "of the first")
    assert shared_name("mine", "by time") == "mine"
    assert shared_name(None, "by time") == "by time"
    monkeypatch.setattr("crossmodal.training.ranks.is_first", lambda: False)
    assert shared_name(None, "later") == "by time"
    monkeypatch.delenv(NAME)
    with pytest.raises(ValueError, match="several processes train one run: give all of them its --name"):
        shared_name(None, "later")
    monkeypatch.setattr("crossmodal.training.ranks.is_first", lambda: True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(ValueError, match="give all of them its --name"):
        shared_name(None, "by time")


def python(folder, *words):
    """A Python of its own, in one thread."""
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run([sys.executable, *words], cwd=folder, env=alone, capture_output=True, text=True)


def assert_close_runs(run, other):
    """Weights to 1e-8 (in float64), what was said of every test clip, and the metrics of held-out clips."""
    ours, theirs = (load_file(folder / "adapters.safetensors") for folder in (run, other))
    assert ours.keys() == theirs.keys()
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-8, msg=lambda said, name=name: name + said)
    assert (run / "predictions.csv").read_text() == (other / "predictions.csv").read_text()
    rows, others = ([row for row in metrics(folder) if not row["train_loss"]] for folder in (run, other))
    for row, known in zip(rows, others, strict=True):
        assert row["step"] == known["step"]
        for name in ("val_accuracy", "val_loss", "test_accuracy", "test_loss"):
            assert abs(float(row[name] or 0) - float(known[name] or 0)) < 1e-6, name
