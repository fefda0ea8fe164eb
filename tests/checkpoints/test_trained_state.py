"""What an adapter file holds of modules that are compiled, quantised, or keep a state of their own."""

import warnings

import pytest
import torch
from safetensors import safe_open
from torch import nn

from crossmodal.checkpoints import adapter_state, load_adapters, save_adapters
from crossmodal.injection import freeze, freeze_parameters


class Counter(nn.Linear):
    """A trained layer with a state beside its tensors."""

    def __init__(self, extra):
        super().__init__(2, 2)
        self.extra = extra

    def get_extra_state(self):
        return self.extra

    def set_extra_state(self, state):
        self.extra = state


class InBuffers(nn.Module):
    """A layer of a quantised base: its weights are buffers, and it has no parameters."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.ones(8, 8, dtype=torch.int8))


def names(file):
    with safe_open(file, "pt") as opened:
        return set(opened.keys())


def test_names_in_a_file_do_not_know_of_compilation(tmp_path):
    def model(compiled):
        trained = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        return nn.ModuleDict({"trained": torch.compile(trained) if compiled else trained})

    for written in (True, False):
        source, target = model(written), model(not written)
        save_adapters(source, tmp_path / "file.safetensors")
        assert names(tmp_path / "file.safetensors") == {"trained.0.weight", "trained.0.bias"}
        load_adapters(target, tmp_path / "file.safetensors")
        for ours, theirs in zip(target.parameters(), source.parameters(), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("extra", [{"steps": 3, "names": ["a", "b"]}, [], "text", torch.arange(3.0)])
def test_extra_state_comes_back(extra, tmp_path):
    model, other = nn.ModuleDict({"a": Counter(extra)}), nn.ModuleDict({"a": Counter(type(extra)())})
    save_adapters(model, tmp_path / "file.safetensors")
    load_adapters(other, tmp_path / "file.safetensors")
    assert torch.equal(other["a"].extra, extra) if isinstance(extra, torch.Tensor) else other["a"].extra == extra


def test_extra_state_that_no_file_can_hold_is_named(tmp_path):
    model = nn.ModuleDict({"a": Counter(object())})
    with pytest.warns(UserWarning, match=r"'a._extra_state' of this ModuleDict is a object, neither a tensor nor"):
        save_adapters(model, tmp_path / "file.safetensors")
    assert names(tmp_path / "file.safetensors") == {"a.weight", "a.bias"}


def test_a_frozen_base_whose_weights_are_buffers_stays_out():
    base = freeze(nn.Sequential(InBuffers(), nn.LayerNorm(8)))
    base.append(InBuffers())  # put in afterwards, as a quantised layer in the place of another
    model = nn.ModuleDict({"all": freeze(InBuffers()), "some": base, "adapter": nn.Linear(2, 2)})
    assert set(adapter_state(model)) == {"adapter.weight", "adapter.bias"}
    assert "all.0.running_mean" in adapter_state(
        nn.ModuleDict({"all": freeze_parameters(nn.Sequential(nn.BatchNorm1d(2)))})
    )


def test_a_quantised_encoder_stays_out(tmp_path):
    base = freeze(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch 2.6 does not call it deprecated yet
        base = torch.ao.quantization.quantize_dynamic(base, {nn.Linear}, dtype=torch.qint8)
    model = nn.ModuleDict({"encoder": base, "adapter": nn.Linear(2, 2)})
    save_adapters(model, tmp_path / "file.safetensors")
    assert names(tmp_path / "file.safetensors") == {"adapter.weight", "adapter.bias"}
