"""A system that begins with what another run learned: once trained, it needs that run no more."""

import shutil

import pytest
import torch
from commands import crossmodal
from safetensors.torch import load_file

import crossmodal as library

PART = """
from crossmodal.injection import freeze
from crossmodal.recipes.few_shot.clip_adapter import clip_adapter


def part(*, classes=("a", "b"), pretrained=None):
    system = clip_adapter(classes=classes, pretrained=pretrained)
    freeze(system.adapter.down)
    return system
"""
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


def test_so_does_one_that_trains_nothing(tmp_path):
    begun = crossmodal(tmp_path, "pretrain", "fit", "--system=clip_adapter", "--name=begun", "--data.clips=16", *SMALL)
    assert begun.code == 0, begun.err
    words = ["--system=clip_adapter", "--name=run", "--model.pretrained=runs/begun", SMALL[0]]
    fitted = crossmodal(tmp_path, "zero_shot", "fit", *words)
    assert fitted.code == 0, fitted.err
    learned, found = load_file(tmp_path / "runs/begun/adapters.safetensors"), library.load(tmp_path / "runs/run")
    assert learned
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in learned.items())


def test_what_a_system_freezes_of_its_beginning_is_read_again(tmp_path, monkeypatch):
    """A recipe of one's own may train a part alone of what it began with: the rest is not in its file."""
    begun = crossmodal(tmp_path, "pretrain", "fit", "--system=clip_adapter", "--name=begun", "--data.clips=16", *SMALL)
    assert begun.code == 0, begun.err
    (tmp_path / "part.py").write_text(PART)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["--system=part.part", "--name=run", "--data.shots=1", "--model.pretrained=runs/begun", *SMALL]
    fitted = crossmodal(tmp_path, "few_shot", "fit", *words)
    assert fitted.code == 0, fitted.err
    frozen = load_file("runs/begun/adapters.safetensors").keys() - load_file("runs/run/adapters.safetensors").keys()
    assert frozen
    learned, found = load_file("runs/begun/adapters.safetensors"), library.load("runs/run").state_dict()
    assert all(torch.equal(learned[name], found[name]) for name in frozen)
    shutil.rmtree("runs/begun")
    with pytest.raises(FileNotFoundError, match="begun"):
        library.load("runs/run")
