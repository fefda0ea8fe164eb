"""Adapter files: bit for bit, whole or not at all, and refused in words where they do not fit."""

import copy
import json
import pickle
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from crossmodal.checkpoints import adapter_state, adapters, load_adapters, read_header, save_adapters
from crossmodal.injection import fingerprint, freeze, freeze_parameters

NAMES = [
    "adapter.0.weight",
    "adapter.0.bias",
    "adapter.1.weight",
    "adapter.1.bias",
    "adapter.1.running_mean",
    "adapter.1.running_var",
    "adapter.1.num_batches_tracked",
]


def build(width=4, *, seed=0):
    """A frozen encoder with statistics of its own, and an adapter that a training step has moved."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))
    adapter = nn.Sequential(nn.Linear(width, 2), nn.BatchNorm1d(2))
    model = nn.ModuleDict({"encoder": freeze(encoder), "adapter": adapter})
    model["adapter"](torch.randn(8, width))
    return model


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def refused(model, file, error=ValueError, **expected):
    """The message with which a file is refused; the model is as it was."""
    before = state_of(model)
    with pytest.raises(error) as caught:
        load_adapters(model, file, **expected)
    assert same(before, state_of(model))
    return str(caught.value)


def written(file, state, header=None):
    """A file as `save_adapters` writes it, of any tensors."""
    said = {"header": header or {}, "sha256": adapters._digest(header or {}, state)}
    save_file(state, file, {adapters.METADATA: json.dumps(said)})
    return file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "adapters.safetensors"


@given(width=st.integers(1, 5), seed=st.integers(0, 99))
def test_what_is_loaded_is_what_was_saved_bit_for_bit(tmp_path_factory, width, seed):
    file = tmp_path_factory.mktemp("saved") / "adapters.safetensors"
    model, other = build(width, seed=seed), build(width, seed=seed + 1)
    save_adapters(model, file, recipe="mine")
    frozen = fingerprint(other["encoder"])
    load_adapters(other, file, recipe="mine")
    assert same(adapter_state(model), adapter_state(other))
    assert fingerprint(other["encoder"]) == frozen


def test_the_same_weights_make_the_same_file(tmp_path):
    for name in "abc":
        save_adapters(build(), tmp_path / name, recipe="mine", size="tiny")
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_in_any_dtype(file, dtype):
    model, other = build().to(dtype), build(seed=1).to(dtype)
    save_adapters(model, file)
    load_adapters(other, file)
    assert same(adapter_state(model), adapter_state(other))


def test_what_is_frozen_stays_out_and_buffers_of_the_rest_stay_in(file):
    model = build()
    assert list(adapter_state(model)) == NAMES
    save_adapters(model, file)
    with safe_open(file, framework="pt") as opened:
        assert sorted(opened.keys()) == sorted(NAMES)


def test_what_was_unfrozen_inside_a_frozen_model_is_kept():
    model = build()
    model["encoder"][1].weight.requires_grad_(True)
    kept = [name for name in adapter_state(model) if name.startswith("encoder")]
    assert kept == [name.replace("adapter", "encoder") for name in NAMES[2:]]


def test_of_what_is_frozen_in_its_parameters_alone_the_statistics_are_kept(file):
    model, other = build(), build()
    freeze_parameters(model["encoder"]).train()(torch.randn(8, 3))
    freeze_parameters(other["encoder"])
    statistics = [name.replace("adapter", "encoder") for name in NAMES if "running" in name or "tracked" in name]
    assert list(adapter_state(model)) == [*statistics, *NAMES]
    save_adapters(model, file)
    load_adapters(other, file)
    assert same(model.state_dict(), other.state_dict())


def test_names_that_begin_alike_are_told_apart():
    model = nn.ModuleDict({"head": freeze(nn.Linear(2, 2)), "head2": nn.Linear(2, 2)})
    assert list(adapter_state(model)) == ["head2.weight", "head2.bias"]


def test_a_tensor_that_two_modules_share_is_saved_under_both_names(file):
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"one": shared, "two": shared})
    save_adapters(model, file)
    other = copy.deepcopy(model)
    nn.init.zeros_(other["one"].weight)
    load_adapters(other, file)
    assert same(state_of(model), state_of(other))


def test_the_header_comes_back(file):
    save_adapters(build(), file, recipe="mine", classes=json.dumps(["Türklingel", "眠る猫"]))
    assert read_header(file) == {"recipe": "mine", "classes": json.dumps(["Türklingel", "眠る猫"])}


def test_a_file_of_another_recipe_is_refused_with_both_names(file):
    save_adapters(build(), file, recipe="lavish", size="tiny")
    message = refused(build(seed=1), file, recipe="dg_sct", size="tiny")
    assert "belongs to another model" in message
    assert "recipe: the file has 'lavish', this model 'dg_sct'" in message
    assert "size" not in message


def test_a_file_for_other_frozen_weights_is_refused_with_both_fingerprints(file):
    model, other = build(), build(seed=1)
    save_adapters(model, file, frozen=fingerprint(model["encoder"]))
    message = refused(other, file, frozen=fingerprint(other["encoder"]))
    assert f"frozen: the file has '{fingerprint(model['encoder'])}'" in message
    assert fingerprint(other["encoder"]) in message


def test_a_header_that_lacks_what_is_expected_is_refused(file):
    save_adapters(build(), file)
    assert "recipe: the file has None, this model 'dg_sct'" in refused(build(), file, recipe="dg_sct")


def test_every_mismatch_is_one_line(file):
    state = adapter_state(build())
    del state["adapter.0.bias"]
    state["adapter.0.weight"] = torch.zeros(2, 9)
    state["adapter.1.weight"] = state["adapter.1.weight"].half()
    state["adapter.gate"] = torch.zeros(1)
    message = refused(build(seed=1), written(file, state))
    assert message.splitlines() == [
        f"load_adapters: {file} does not fit this ModuleDict:",
        "  adapter.0.bias: missing from the file",
        "  adapter.0.weight: torch.float32 (2, 9) in the file, torch.float32 (2, 4) here",
        "  adapter.1.weight: torch.float16 (2,) in the file, torch.float32 (2,) here",
        "  adapter.gate: in the file, not in the model",
    ]


def test_a_long_list_of_mismatches_is_cut(file):
    state = {f"stray{number:02d}": torch.zeros(1) for number in range(30)}
    message = refused(build(), written(file, adapter_state(build()) | state))
    assert "stray19" in message
    assert "stray20" not in message
    assert message.endswith("… and 10 more")


def test_a_model_without_memory_is_refused(file):
    save_adapters(build(), file)
    with pytest.raises(ValueError, match="does not fit this ModuleDict") as caught:
        load_adapters(build().to("meta"), file)
    message = str(caught.value)
    assert "adapter.0.weight: on the meta device" in message
    assert "to_empty(device=...)" in message


def test_a_missing_file_is_named(file):
    assert refused(build(), file, FileNotFoundError) == f"load_adapters: {file} does not exist."


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff" * 64, pickle.dumps({"adapter.0.weight": 1})])
def test_what_is_no_adapter_file_is_refused(file, content):
    file.write_bytes(content)
    assert f"load_adapters: {file} is no whole adapter file of crossmodal" in refused(build(), file)


def test_a_safetensors_file_of_somebody_else_is_refused(file):
    save_file(adapter_state(build()), file)
    assert "is no whole adapter file of crossmodal ('crossmodal')" in refused(build(), file)
    for strange in ("3", "[]", "{}", '{"header": 3, "sha256": ""}', "not JSON"):
        save_file(adapter_state(build()), file, {adapters.METADATA: strange})
        assert "is no whole adapter file of crossmodal" in refused(build(), file)


def test_nothing_is_unpickled(file, tmp_path):
    class Trap:
        def __reduce__(self):
            return (partial(open, tmp_path / "sprung", "w"), ())

    torch.save({"adapter.0.weight": Trap()}, file)
    refused(build(), file)
    file.write_bytes(pickle.dumps(Trap()))
    refused(build(), file)
    assert not (tmp_path / "sprung").exists()


def test_cut_anywhere_a_file_is_refused(file):
    save_adapters(build(), file, recipe="mine")
    whole, model = file.read_bytes(), build(seed=1)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert "no whole adapter file" in refused(model, file, recipe="mine")


def test_with_a_bit_flipped_anywhere_a_file_is_refused(file):
    """Every third bit: each byte of lengths, header, digest and tensors is hit."""
    save_adapters(nn.Linear(1, 2), file, recipe="mine")
    whole, model = file.read_bytes(), nn.Linear(1, 2)
    for bit in range(0, 8 * len(whole), 3):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        assert str(file) in refused(model, file)


def test_a_changed_weight_is_noticed(file):
    save_adapters(build(), file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert refused(build(), file) == (
        f"load_adapters: {file} is damaged: its tensors are not those written. Copy the file again."
    )


@pytest.mark.parametrize("broken", ["save_file", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(file, monkeypatch, broken):
    old, new = build(), build(seed=1)
    save_adapters(old, file, recipe="old")
    before = file.read_bytes()

    def fail(*args, **kwargs):
        if broken == "save_file":
            args[1].write_bytes(before[:20])
        raise OSError("No space left on device")

    monkeypatch.setattr(f"crossmodal.checkpoints.adapters.{broken}", fail)
    with pytest.raises(OSError, match="No space left"):
        save_adapters(new, file, recipe="new")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(OSError, match=r"save_adapters: .*gone/a\.safetensors cannot be written .*another folder"):
        save_adapters(build(), tmp_path / "gone" / "a.safetensors")


def test_an_interrupted_load_is_impossible_because_everything_is_read_first(file, monkeypatch):
    """A tensor that cannot be read leaves those before it unloaded."""
    save_adapters(build(), file)
    opened = []

    class Failing:
        def __init__(self, *args, **kwargs):
            self.file = safe_open(*args, **kwargs)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def __getattr__(self, name):
            return getattr(self.file, name)

        def get_tensor(self, name):
            opened.append(name)
            if len(opened) == 4:
                raise ValueError("a bad sector")
            return self.file.get_tensor(name)

    monkeypatch.setattr(adapters, "safe_open", Failing)
    assert "a bad sector" in refused(build(seed=1), file)
    assert len(opened) == 4
