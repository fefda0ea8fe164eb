"""Training in mixed precision, from the command line."""

import json
import math

import pytest
from commands import SMALL, crossmodal, metrics

from crossmodal.checkpoints import read_header


def test_a_training_in_mixed_precision_with_half_encoders(tmp_path):
    words = (
        "--trainer.precision=bf16-mixed",
        "--encoders=crossmodal.injection.half_precision",
        "--trainer.max_epochs=1",
        "--data.clips=2",
        "--data.held_out=1",  # a CPU takes long over halves
    )
    said = crossmodal(tmp_path, "ave", "fit", "--name=half", *SMALL, *words)
    assert said.code == 0, said.err
    losses = [float(row["train_loss"]) for row in metrics(tmp_path / "runs" / "half") if row.get("train_loss")]
    assert losses
    assert all(map(math.isfinite, losses))
    summary = json.loads((tmp_path / "runs" / "half" / "summary.json").read_text())
    assert 0 <= summary["test"]["accuracy"] <= 1
    assert read_header(tmp_path / "runs" / "half" / "adapters.safetensors")["system"] == "dg_sct"
    said = crossmodal(tmp_path, "ave", "test", "--run", "runs/half")
    assert said.code == 0, said.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "optimizer"),
    [
        ("bf16-true", []),
        # of Adam's default epsilon nothing is left in float16
        ("16-true", ["--optim.optimizer=torch.optim.SGD", "--optim.optimizer.lr=1e-3"]),
    ],
)
def test_a_training_in_true_half_precision_runs_to_its_end(tmp_path, precision, optimizer):
    small = [*SMALL, "--data.clips=2", "--data.held_out=1", "--trainer.max_epochs=1", "--system=lite"]
    said = crossmodal(tmp_path, "ave", "fit", "--name=half", *small, f"--trainer.precision={precision}", *optimizer)
    assert said.code == 0, said.err
    losses = [float(row["train_loss"]) for row in metrics(tmp_path / "runs" / "half") if row.get("train_loss")]
    assert losses
    assert all(map(math.isfinite, losses))
    assert 0 <= json.loads((tmp_path / "runs/half/summary.json").read_text())["test"]["accuracy"] <= 1
