"""A run that goes on: with its own options, and to the very weights of one that was never interrupted."""

import shutil

import pytest
import torch
import yaml
from commands import ALONE, SMALL, crossmodal, interrupted, metrics
from safetensors.torch import load_file

from crossmodal import load
from crossmodal.training.csv_logger import MetricsFile
from crossmodal.training.samplers import EpochShuffle


@pytest.fixture(scope="module")
def stopped(lab):
    """A run interrupted in the second batch of its second epoch."""
    folder, _ = lab
    said = interrupted(folder, "--name", "stopped", *SMALL)
    return folder, said


def test_an_interrupted_run_says_how_it_goes_on(stopped):
    _, said = stopped
    assert said.code == 130
    assert "interrupted; go on with: crossmodal ave fit --runs runs --name stopped --resume true" in said.err


def test_it_ends_as_one_that_was_never_interrupted(stopped):
    folder, _ = stopped
    run = folder / "runs/resumed"
    shutil.copytree(folder / "runs/stopped", run)
    assert [row["step"] for row in metrics(run) if row["train_loss"]] == ["0", "1", "2"]  # it takes step 2 again
    said = crossmodal(folder, "ave", "fit", "--name", "resumed", "--resume", "true")
    assert said.code == 0, said.err
    assert metrics(run) == metrics(folder / "runs/first")
    assert same_weights(run, folder / "runs/first")
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["clips"] == 4


def test_a_finished_run_goes_on_for_more_epochs_with_its_own_options(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/longer")
    said = crossmodal(folder, "ave", "fit", "--name", "longer", "--resume", "true", "--trainer.max_epochs=3")
    assert said.code == 0, said.err
    rows = metrics(folder / "runs/longer")
    assert [row["step"] for row in rows if row["train_loss"]] == list("012345")
    assert rows[: len(metrics(folder / "runs/first")) - 1] == metrics(folder / "runs/first")[:-1]
    assert len([row for row in rows if row["test_accuracy"]]) == 1


def test_in_float64_it_loses_no_digit(tmp_path, monkeypatch):
    """Lightning converts a module only after it has read the checkpoint."""
    (tmp_path / "lone.py").write_text(ALONE)
    words = ["ave", "fit", "--system=lone.alone", "--trainer.precision=64-true", *SMALL]
    for name, *more in (["whole"], ["parted", "--trainer.max_epochs=1"]):
        assert crossmodal(tmp_path, *words, "--name", name, *more).code == 0
    resumed = ["--name", "parted", "--resume", "true", "--trainer.max_epochs=2"]
    assert crossmodal(tmp_path, "ave", "fit", *resumed).code == 0
    assert same_weights(tmp_path / "runs/parted", tmp_path / "runs/whole")
    before = (tmp_path / "runs/whole/predictions.csv").read_bytes()
    assert crossmodal(tmp_path, "ave", "test", "--run", "runs/whole").code == 0
    assert (tmp_path / "runs/whole/predictions.csv").read_bytes() == before
    monkeypatch.syspath_prepend(tmp_path)
    stored = load_file(tmp_path / "runs/whole/adapters.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float64}
    loaded = load(tmp_path / "runs/whole").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored.items())


def test_another_model_is_refused_and_the_run_left_alone(lab):
    folder, _ = lab
    before = (folder / "runs/first/config.yaml").read_text()
    said = crossmodal(folder, "ave", "fit", "--name", "first", "--resume", "true", "--model.spatial", "mylab.TopK")
    assert said.code == 1
    assert "run runs/first cannot be resumed with another model:" in said.err
    assert "spatial.proj.weight: missing from the file" in said.err
    assert (folder / "runs/first/config.yaml").read_text() == before


def test_behind_a_damaged_checkpoint_it_goes_on_from_the_best_and_two_are_named(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/damaged")
    last, best = (folder / f"runs/damaged/checkpoints/{name}.ckpt" for name in ("last", "best"))
    whole = last.read_bytes()
    last.write_bytes(bytes(byte ^ (at == len(whole) // 2) for at, byte in enumerate(whole)))  # one bit of a weight
    said = crossmodal(folder, "ave", "fit", "--name", "damaged", "--resume", "true")
    assert said.code == 0, said.err
    assert "damaged            runs/damaged/checkpoints/last.ckpt (the check sum of its part " in said.out
    assert "going on from runs/damaged/checkpoints/best.ckpt, behind step " in said.out
    assert metrics(folder / "runs/damaged") == metrics(folder / "runs/first")
    assert same_weights(folder / "runs/damaged", folder / "runs/first")
    last.write_bytes(whole[:1000])
    best.write_bytes(b"")
    said = crossmodal(folder, "ave", "fit", "--name", "damaged", "--resume", "true")
    assert said.code == 1
    assert "runs/damaged/checkpoints/last.ckpt is damaged (" in said.err
    assert "and runs/damaged/checkpoints/best.ckpt is damaged (" in said.err
    assert "start it anew under another --name" in said.err


def test_what_cannot_be_resumed_is_named(lab):
    said = crossmodal(lab[0], "ave", "fit", "--name", "gone", "--resume", "true")
    assert said.code == 1
    assert "run runs/gone cannot be resumed: it has no config.yaml; start it without --resume" in said.err
    assert "say which by --name" in crossmodal(lab[0], "ave", "fit", "--resume", "true").err


def test_before_the_first_checkpoint_it_begins_anew(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/early")
    shutil.rmtree(folder / "runs/early/checkpoints")
    said = crossmodal(folder, "ave", "fit", "--name", "early", "--resume", "true")
    assert said.code == 0, said.err
    assert metrics(folder / "runs/early") == metrics(folder / "runs/first")


def test_the_order_of_an_epoch_follows_from_seed_and_number_alone():
    orders = {}
    for seed in (0, 1):
        for epoch in (2, 0, 1, 2):
            shuffle = EpochShuffle(range(50), seed)
            shuffle.set_epoch(epoch)
            order = list(shuffle)
            assert sorted(order) == list(range(50))
            assert orders.setdefault((seed, epoch), order) == order
    assert len({tuple(order) for order in orders.values()}) == 6


def test_the_table_of_a_resumed_run_drops_what_is_taken_again_and_nothing_else(tmp_path):
    first = MetricsFile(tmp_path / "metrics.csv")
    for step, name in ((0, "train"), (1, "train"), (1, "val"), (2, "train"), (3, "train")):
        first.log_metrics({name: float(step)}, step)
    first.save()
    then = MetricsFile(tmp_path / "metrics.csv", steps=2)
    for step, name in ((2, "train"), (3, "train"), (3, "val")):
        then.log_metrics({name: 10.0 + step}, step)
    then.save()
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,train,val", "0,0.0,", "1,1.0,", "1,,1.0", "2,12.0,", "3,13.0,", "3,,13.0"
    ]  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def same_weights(run, other):
    """Whether the last checkpoints and the kept adapters of two runs agree in every bit."""
    kept = [load_file(folder / "adapters.safetensors") for folder in (run, other)]
    last = [torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for folder in (run, other)]
    return all(
        one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one) for one, two in (kept, last)
    )
