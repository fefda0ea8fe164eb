"""The script of the page on trainers: Hugging Face's Trainer, with checkpoints of adapters alone."""

import runpy
from pathlib import Path

import pytest
import torch

import crossmodal
from crossmodal.sharing import SystemOptions, build_system

SCRIPTS = Path(__file__).parents[2] / "docs/scripts"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the trainer's own
def test_the_trainer_of_hugging_face_keeps_adapters_alone_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = runpy.run_path(str(SCRIPTS / "hf_trainer.py"))["train"]
    options = SystemOptions("ave", "lite")
    begun = train(options, "hf", clips=2, steps=1)
    kept = {file.name for file in (tmp_path / "hf/checkpoint-1").iterdir()}
    assert "adapters.safetensors" in kept
    assert not {name for name in kept if name.startswith(("model", "pytorch_model"))}
    on = train(options, "hf", clips=2, steps=2, go_on=True)
    once = train(options, "once", clips=2, steps=2)
    for (name, one), (_, other), (_, first) in zip(
        on.named_parameters(), once.named_parameters(), begun.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, msg=name)
        assert one.requires_grad or torch.equal(one, first)
    crossmodal.save(on.eval(), "shared")
    assert crossmodal.load("shared").classes == on.classes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the trainer's own
def test_a_loop_of_accelerate_moves_what_is_trained_and_nothing_else():
    train = runpy.run_path(str(SCRIPTS / "accelerate_loop.py"))["train"]
    options = SystemOptions("ave", "lite")
    system = train(options, clips=4)
    before = build_system(options, system.classes)
    moved = {
        name
        for (name, one), (_, other) in zip(system.named_parameters(), before.named_parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert moved
    assert moved <= {name for name, each in before.named_parameters() if each.requires_grad}
