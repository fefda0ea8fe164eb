"""Training in mixed precision, from the command line."""

import json
import math

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
