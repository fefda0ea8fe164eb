"""A system that begins with what another run learned: once trained, it needs that run no more."""

import shutil

import torch
from commands import crossmodal

import crossmodal as library

SMALL = ["--data.held_out=4", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", "--trainer.max_steps=1"]


def test_a_finished_run_stands_without_the_one_that_it_began_with(tmp_path):
    begun = crossmodal(tmp_path, "pretrain", "fit", "--system=clip_adapter", "--name=begun", "--data.clips=16", *SMALL)
    assert begun.code == 0, begun.err
    words = ["--system=clip_adapter", "--name=run", "--data.shots=1", "--model.pretrained=runs/begun", *SMALL]
    fitted = crossmodal(tmp_path, "few_shot", "fit", *words)
    assert fitted.code == 0, fitted.err
    here = library.load(tmp_path / "runs/run").state_dict()
    shutil.rmtree(tmp_path / "runs/begun")
    there = library.load(tmp_path / "runs/run").state_dict()
    assert all(torch.equal(value, there[name]) for name, value in here.items())
    library.save(library.load(tmp_path / "runs/run"), tmp_path / "shared")
    shared = library.load(tmp_path / "shared").state_dict()
    assert all(torch.equal(value, shared[name]) for name, value in here.items())
    assert "begun" not in (tmp_path / "shared/adapter_config.json").read_text()
    tested = crossmodal(tmp_path, "few_shot", "test", "--run=runs/run")
    assert tested.code == 0, tested.err
    again = crossmodal(tmp_path, "few_shot", "fit", *words[:1], "--name=other", *words[2:])  # a training does need it
    assert again.code != 0
    assert "runs/begun" in again.err
