"""Adapters saved and loaded: bit for bit, and refused in a table where they do not fit."""

import copy
import json
import re
import warnings
from pathlib import Path

import pytest
import torch
from adapter_files import build, refused, same, state_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

import crossmodal
from crossmodal.checkpoints import (
    adapter_state,
    adapters,
    load_adapters,
    load_converted,
    read_header,
    save_adapters,
    with_dtype_of,
)
from crossmodal.injection import fingerprint, freeze, freeze_parameters

OLD = Path(__file__).parents[1] / "golden" / "adapters_format1.safetensors"
PRECISIONS = st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16])
NAMES = [
    "adapter.0.weight",
    "adapter.0.bias",
    "adapter.1.weight",
    "adapter.1.bias",
    "adapter.1.running_mean",
    "adapter.1.running_var",
    "adapter.1.num_batches_tracked",
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "adapters.safetensors"


@settings(max_examples=16)
@given(PRECISIONS, PRECISIONS, st.integers(0, 99))
def test_a_model_takes_the_precision_of_its_file_frozen_parts_too(tmp_path_factory, dtype, other, seed):
    file = tmp_path_factory.mktemp("saved") / "adapters.safetensors"
    trained, built = build(seed=seed).to(dtype), build(seed=seed + 1).to(other)
    save_adapters(trained, file)
    load_adapters(with_dtype_of(built, file), file)
    assert same(adapter_state(trained), adapter_state(built))
    assert {tensor.dtype for tensor in built.state_dict().values()} == {dtype, torch.int64}


def test_a_file_of_several_precisions_leaves_the_model_as_it_is(file):
    model = build()
    model["adapter"][1].double()
    save_adapters(model, file)
    before = state_of(model)
    assert same(before, with_dtype_of(model, file).state_dict())


@settings(max_examples=16)
@given(PRECISIONS, PRECISIONS, st.integers(0, 99))
def test_what_a_training_begins_with_is_read_in_its_own_precision_and_said(tmp_path_factory, theirs, ours, seed):
    file = tmp_path_factory.mktemp("saved") / "adapters.safetensors"
    begun, model = build(seed=seed).to(theirs), build(seed=seed + 1).to(ours)
    save_adapters(begun, file)
    frozen = fingerprint(model["encoder"])
    with warnings.catch_warnings(record=True, action="always") as said:
        load_converted(model, file)
    assert same(adapter_state(begun.to(ours)), adapter_state(model))
    assert fingerprint(model["encoder"]) == frozen
    kept = torch.promote_types(theirs, ours) == ours
    told = f"was written in {theirs} and is read into this ModuleDict in {ours}: {'every' if kept else 'its'} number"
    assert [told in str(warning.message) for warning in said] == [True] * (theirs != ours)


def test_a_number_too_large_for_the_model_and_a_file_of_several_precisions_are_not_converted(file):
    begun, model = build().double(), build(seed=1).half()
    with torch.no_grad():
        begun["adapter"][0].bias[0] = 1e5
    save_adapters(begun, file)
    before = state_of(model)
    with pytest.raises(ValueError, match=r"adapter\.0\.bias +torch\.float64 \(2,\) +torch\.float16 \(2,\)"):
        load_converted(model, file)
    begun["adapter"][1].float()
    save_adapters(begun, file)
    with pytest.raises(ValueError, match=r"adapter\.1\.bias +torch\.float32 \(2,\) +torch\.float16 \(2,\)"):
        load_converted(model, file)
    assert same(before, state_of(model))


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
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


def test_two_values_for_a_tensor_that_two_modules_share_are_refused(file):
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"one": shared, "two": shared})
    state = state_of(model)
    state["two.bias"] = state["one.bias"] + 1
    message = refused(model, written(file, state))
    assert "holds two values for what is one tensor in this ModuleDict: ['one.bias']" in message


def test_the_header_comes_back_with_the_version(file):
    said = {
        "recipe": "mine",
        "classes": json.dumps(["Türklingel", "眠る猫"]),
        "arguments": {"latents": 32, "edges": None},
    }
    save_adapters(build(), file, **said)
    assert read_header(file) == {**said, "version": crossmodal.__version__}


def test_what_is_not_asked_for_is_not_compared_and_tuples_are_lists(file, monkeypatch):
    monkeypatch.setattr("crossmodal.checkpoints.adapter_file.__version__", "9.9.9")
    save_adapters(build(), file, recipe="mine", axes=("row", "column"), place={1: 2.5})
    monkeypatch.undo()
    load_adapters(build(seed=1), file)
    load_adapters(build(seed=1), file, axes=("row", "column"), place={1: 2.5})
    assert read_header(file)["version"] == "9.9.9"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"deep": {1, 2}}, torch.zeros(1)])
def test_a_header_that_json_cannot_hold_is_named(file, value):
    for act in (save_adapters, load_adapters):
        if act is load_adapters:
            save_adapters(build(), file)
        with pytest.raises(
            ValueError, match=rf"^{act.__name__}: the header \{{'strange': .* cannot be written as JSON"
        ):
            act(build(), file, strange=value)
        assert file.exists() == (act is load_adapters)


def test_the_version_cannot_be_given(file):
    with pytest.raises(ValueError, match="save_adapters: version is written by itself"):
        save_adapters(build(), file, version="1")


def test_another_recipe_and_other_arguments_are_a_table(file):
    given = {"latents": 32, "spatial": {"class_path": "SpatialGuidance", "init_args": {"reduction": 2}}, "alpha": 0.3}
    save_adapters(build(), file, recipe="dg_sct", size="tiny", arguments=given)
    asked = {"latents": 16, "spatial": None, "alpha": 0.3, "edges": None}
    message = refused(build(seed=1), file, recipe="lavish", size="tiny", arguments=asked)
    assert message.splitlines() == [
        f"load_adapters: {file} belongs to another model:",
        "                                         in the file        in this model",
        "  recipe                                 'dg_sct'           'lavish'",
        "  arguments.latents                      32                 16",
        "  arguments.spatial                      missing            None",
        "  arguments.edges                        missing            None",
        "  arguments.spatial.class_path           'SpatialGuidance'  missing",
        "  arguments.spatial.init_args.reduction  2                  missing",
    ]


def test_other_frozen_weights_are_refused_with_both_fingerprints(file):
    model, other = build(), build(seed=1)
    save_adapters(model, file, frozen=fingerprint(model["encoder"]))
    message = refused(other, file, frozen=fingerprint(other["encoder"]))
    assert re.search(
        rf"frozen +'{fingerprint(model['encoder'])[:20]}\w*… +'{fingerprint(other['encoder'])[:20]}", message
    )


def test_a_header_that_lacks_what_is_expected_is_refused(file):
    save_adapters(build(), file)
    assert re.search(r"recipe +missing +'dg_sct'", refused(build(), file, recipe="dg_sct"))


def test_every_mismatch_is_one_row(file):
    state = adapter_state(build())
    del state["adapter.0.bias"]
    state["adapter.0.weight"] = torch.zeros(2, 9)
    state["adapter.1.weight"] = state["adapter.1.weight"].half()
    state["adapter.1.bias"] = torch.tensor([1.0, float("nan")])
    state["adapter.gate"] = torch.zeros(1)
    message = refused(build(seed=1), written(file, state))
    assert message.splitlines() == [
        f"load_adapters: {file} does not fit this ModuleDict:",
        "                    in the file                    in this model",
        "  adapter.0.bias    missing                        torch.float32 (2,)",
        "  adapter.0.weight  torch.float32 (2, 9)           torch.float32 (2, 4)",
        "  adapter.1.bias    1 of 2 numbers are not finite  torch.float32 (2,)",
        "  adapter.1.weight  torch.float16 (2,)             torch.float32 (2,)",
        "  adapter.gate      torch.float32 (1,)             missing",
    ]


def test_a_long_list_of_mismatches_is_cut(file):
    state = {f"stray{number:02d}": torch.zeros(1) for number in range(30)}
    message = refused(build(), written(file, adapter_state(build()) | state))
    assert "stray19" in message
    assert "stray20" not in message
    assert message.endswith("… and 10 more")


@pytest.mark.parametrize("lost", [float("nan"), float("inf"), -float("inf")])
def test_parameters_that_are_not_finite_are_refused(file, lost):
    state = adapter_state(build())
    state["adapter.0.weight"] = torch.full((2, 4), lost)
    message = refused(build(seed=1), written(file, state))
    assert re.search(r"adapter\.0\.weight +8 of 8 numbers are not finite +torch\.float32 \(2, 4\)", message)


def test_large_numbers_of_float64_are_finite(file):
    model = nn.Linear(1, 1).double()
    nn.init.constant_(model.weight, 1e300)
    save_adapters(model, file)
    other = nn.Linear(1, 1).double()
    load_adapters(other, file)
    assert other.weight.item() == 1e300


def test_a_number_is_the_same_with_and_without_a_point(file):
    save_adapters(build(), file, arguments={"alpha": 1.0})
    load_adapters(build(), file, arguments={"alpha": 1})


def test_a_buffer_may_hold_infinities_but_no_nan(file):
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
    save_adapters(model, file)
    load_adapters(copy.deepcopy(model), file)
    model.mask[0] = float("nan")
    save_adapters(model, file)
    assert "1 of 2 numbers are not finite" in refused(model, file)


def test_a_model_without_memory_is_refused(file):
    save_adapters(build(), file)
    with pytest.raises(ValueError, match="does not fit this ModuleDict") as caught:
        load_adapters(build().to("meta"), file)
    assert re.search(r"adapter\.0\.weight .* on the meta device: to_empty\(device=\.\.\.\) first", str(caught.value))


def test_a_tensor_that_cannot_be_set_leaves_those_before_it_as_they_were(file):
    model = build()
    model.register_buffer("spread", torch.zeros(1).expand(3))  # three names for one number: torch refuses to copy
    other = {**adapter_state(build(seed=1)), "spread": torch.ones(3)}
    assert "a tensor of this ModuleDict cannot be set" in refused(model, written(file, other))


def test_a_load_that_is_interrupted_leaves_the_model_as_it_was(file, monkeypatch):
    def interrupt(tensor):
        raise KeyboardInterrupt

    save_adapters(build(seed=1), file)
    model = build()
    before = state_of(model)
    monkeypatch.setattr(adapters, "bytes_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_adapters(model, file)
    assert same(before, state_of(model))


def old_model():
    return nn.ModuleDict({"encoder": freeze(nn.Linear(3, 2)), "adapter": nn.Linear(2, 2)})


def test_a_file_of_the_first_format_loads_and_a_warning_says_what_it_does_not():
    model = old_model()
    with pytest.warns(UserWarning, match="has the earlier format 1, which does not say arguments, front_end: not comp"):
        load_adapters(model, OLD, recipe="mine", arguments={"latents": 32}, front_end={})
    assert model["adapter"].weight.tolist() == [[-0.5, -0.25], [0.0, 0.25]]
    load_adapters(old_model(), OLD, recipe="mine", classes='["a", "b"]')  # nothing unsaid: no warning
    assert read_header(OLD) == {"recipe": "mine", "classes": '["a", "b"]'}


def test_a_file_of_the_first_format_is_compared_in_what_it_says():
    assert re.search(r"recipe +'mine' +'dg_sct'", refused(old_model(), OLD, recipe="dg_sct", arguments={}))


def test_a_file_of_the_first_format_is_proved_whole_as_it_was(file):
    content = bytearray(OLD.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "is damaged" in refused(old_model(), file)


def test_a_file_of_a_later_format_says_which_version_reads_it(file):
    written(file, {"anything": torch.zeros(1)}, {"version": "7.1.0"}, form=3)
    message = refused(build(), file, recipe="mine")
    assert "has format 3, written by version 7.1.0; this version" in message
    assert "reads formats up to 2: install a later one" in message
