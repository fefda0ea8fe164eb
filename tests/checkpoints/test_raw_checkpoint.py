"""Files of others: what they are nested in is said, what is damaged is said, and nothing is ever unpickled."""

import argparse

import pytest
import torch
from safetensors.torch import save_file

from crossmodal.checkpoints import read_weights

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def same(found):
    return found.tensors.keys() == STATE.keys() and all(torch.equal(found.tensors[name], STATE[name]) for name in STATE)


def test_safetensors_and_both_formats_of_torch_are_read(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    torch.save(STATE, tmp_path / "a.pt")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "a.pt", "old.pth"):
        found = read_weights(tmp_path / name)
        assert same(found), name
        assert found.source == str(tmp_path / name)
        assert found.notes == ()
    assert same(read_weights(str(tmp_path / "a.pt")))
    assert same(read_weights(STATE))


@pytest.mark.parametrize(
    ("held", "notes"),
    [
        ({"state_dict": STATE}, ["tensors under 'state_dict'"]),
        (
            {"model": STATE, "epoch": 3, "optimizer": {}},
            ["tensors under 'model'; beside it, not read: epoch, optimizer"],
        ),
        (
            {"state_dict": {f"module.{name}": tensor for name, tensor in STATE.items()}, "epoch": 3},
            [
                "tensors under 'state_dict'; beside it, not read: epoch",
                "the prefix 'module.' of DataParallel taken off",
            ],
        ),
        ({"model": {"state_dict": STATE}}, ["tensors under 'model'", "tensors under 'state_dict'"]),
    ],
)
def test_what_tensors_are_nested_in_is_said(tmp_path, held, notes):
    torch.save(held, tmp_path / "a.pt")
    found = read_weights(tmp_path / "a.pt")
    assert same(found)
    assert list(found.notes) == notes


def test_a_prefix_that_not_all_have_stays():
    state = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert set(read_weights(state).tensors) == set(state)


def test_a_file_that_needs_pickle_is_refused_with_the_command(tmp_path):
    torch.save({"state_dict": STATE, "args": argparse.Namespace(lr=1)}, tmp_path / "a.ckpt")
    with pytest.raises(
        ValueError, match=r"a\.ckpt needs pickle: it holds argparse\.Namespace, not tensors alone"
    ) as caught:
        read_weights(tmp_path / "a.ckpt")
    command = f"python -m crossmodal.checkpoints.unpickle {tmp_path}/a.ckpt {tmp_path}/a.safetensors"
    assert str(caught.value).endswith(command)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_damaged_file_is_said_to_be_one(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    save_file(STATE, file) if suffix == ".safetensors" else torch.save(STATE, file)
    whole = file.read_bytes()
    for cut in (0, 7, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=rf"read_weights: .*a\{suffix} is (no whole|damaged|no checkpoint)"):
            read_weights(file)


def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path):
    (tmp_path / "a.pt").write_text("<html>Quota exceeded</html>")
    with pytest.raises(ValueError, match=r"a\.pt is no checkpoint of torch, nor is it named \.safetensors"):
        read_weights(tmp_path / "a.pt")
    with pytest.raises(
        FileNotFoundError, match=r"b\.pt does not exist; published files are timm, clap, htsat, dg_sct_ave"
    ):
        read_weights(tmp_path / "b.pt")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({}, "it is empty"),
        ({"a": torch.ones(1), "b": 3}, "b is a int"),
        ([torch.ones(1)], "it is a list"),
        (torch.ones(1), "it is a Tensor"),
        ({"state_dict": {"a": "b"}}, "a is a str"),
    ],
)
def test_a_file_without_tensors_by_name_is_refused(tmp_path, held, said):
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=f"a.pt holds no tensors by name: {said}"):
        read_weights(tmp_path / "a.pt")
