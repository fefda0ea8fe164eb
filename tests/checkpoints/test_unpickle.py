"""The one command that unpickles: loud, asked twice, called by nothing."""

import argparse
import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from crossmodal.checkpoints.unpickle import main

ROOT = Path(__file__).parents[2]
STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
TRUST = "--i-trust-this-file"


@pytest.fixture
def file(tmp_path):
    tied = {**STATE, "b.weight": STATE["a.weight"]}  # shares memory, as torch keeps it and safetensors does not
    torch.save({"state_dict": tied, "args": argparse.Namespace(lr=1), "epoch": 3}, tmp_path / "in.ckpt")
    return tmp_path / "in.ckpt"


def test_tensors_are_written_once_it_is_trusted(file, capsys):
    out = file.with_name("out.safetensors")
    assert main([str(file), str(out), TRUST]) == 0
    said = capsys.readouterr()
    assert f"WARNING: {file} is read by pickle, which EXECUTES WHATEVER THE FILE SAYS" in said.err
    assert said.out.splitlines() == [
        "tensors under 'state_dict'; beside it, not read: args, epoch",
        f"3 tensors of {file} written to {out}; from now on read that one.",
    ]
    assert all(torch.equal(load_file(out)[name], tensor) for name, tensor in STATE.items())
    assert torch.equal(load_file(out)["b.weight"], STATE["a.weight"])


class Marks:
    """Leaves a mark where it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


def test_without_trust_nothing_is_read(tmp_path, capsys):
    torch.save({"a": Marks(tmp_path / "mark")}, tmp_path / "in.pt")
    assert main([str(tmp_path / "in.pt"), str(tmp_path / "out.safetensors")]) == 1
    assert "nothing was read: add --i-trust-this-file" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pt"]


@pytest.mark.parametrize("out", ["out.pt", "there.safetensors"])
def test_nothing_is_overwritten_or_named_otherwise(file, capsys, out):
    file.with_name("there.safetensors").write_text("mine")
    assert main([str(file), str(file.with_name(out)), TRUST]) == 1
    assert "must be a new file named .safetensors" in capsys.readouterr().err
    assert file.with_name("there.safetensors").read_text() == "mine"


def test_what_cannot_be_unpickled_is_said(file, monkeypatch, capsys):
    out = str(file.with_name("out.safetensors"))
    assert main([str(file.with_name("none.pt")), out, TRUST]) == 1
    monkeypatch.delitem(sys.modules, "argparse")
    monkeypatch.setitem(sys.modules, "argparse", None)
    assert main([str(file), out, TRUST]) == 1
    assert re.search(r"in\.ckpt cannot be unpickled here: \w+Error: .*argparse", capsys.readouterr().err)
    assert not Path(out).exists()


def test_nothing_calls_it():
    own = {ROOT / "crossmodal" / name for name in ("checkpoints/unpickle.py", "data/unpickle_avs.py")}
    sources = [
        path for folder in ("crossmodal", "recipes") for path in (ROOT / folder).rglob("*.py") if path not in own
    ]
    calling = [path for path in sources if re.search(r"import.*unpickle|unpickle\w*\(", path.read_text("utf-8"))]
    assert calling == []
