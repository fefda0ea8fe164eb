"""One call gives a trained system back: from a run, and from the folder that it was saved as."""

import json
import shutil

import pytest
import torch
from commands import content

import crossmodal
from crossmodal.checkpoints import adapter_state, load_adapters, read_header
from crossmodal.checkpoints.trained_state import plainly_named
from crossmodal.sharing import SystemOptions, build_system, saved_folder
from crossmodal.sharing.named_files import named_files, with_paths
from crossmodal.sharing.saved_folder import ADAPTER_CONFIG
from crossmodal.tasks.resolve import find_task
from crossmodal.training.options import required
from crossmodal.training.run_folder import ADAPTERS


def same(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def system(alone, monkeypatch):
    """The trained system of a module of one's own."""
    monkeypatch.syspath_prepend(alone)
    return crossmodal.load(alone / "runs/alone")


@pytest.fixture
def saved(system, tmp_path):
    crossmodal.save(system, tmp_path / "saved")
    return tmp_path / "saved"


def edited(folder, **entries):
    """Changes entries of the configuration; `...` takes one out."""
    file = folder / ADAPTER_CONFIG
    config = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))
    return folder


def test_a_coupled_system_of_double_precision_comes_back_as_it_was(tmp_path):
    system = build_system(SystemOptions("ave", "lite"), ("red", "blue")).double()
    crossmodal.save(system, tmp_path / "saved")
    assert same(crossmodal.load(tmp_path / "saved"), system)  # the frozen encoders, too, whose fingerprint it tells


def test_a_run_and_the_folder_it_is_saved_as_give_the_same_system(lab, tmp_path, monkeypatch):
    folder, _ = lab
    monkeypatch.syspath_prepend(folder)
    system = crossmodal.load(folder / "runs/first")
    assert not any(module.training for module in system.modules())
    assert system.classes[0] == "red"
    assert system.inputs.preprocess.size == 64
    assert (system.built_from.system, system.built_from.arguments["latents"]) == ("dg_sct", 32)
    crossmodal.save(system, tmp_path / "saved")
    again = crossmodal.load(tmp_path / "saved")
    assert same(system, again)
    assert not any(module.training for module in again.modules())
    assert (again.classes, again.inputs, again.built_from) == (system.classes, system.inputs, system.built_from)
    header = read_header(tmp_path / "saved" / ADAPTERS)
    assert {"task", "system", "arguments", "classes", "front_end", "frozen", "seed", "version"} <= header.keys()
    load_adapters(system, tmp_path / "saved" / ADAPTERS, task="ave", system="dg_sct")  # as a file alone, too
    assert adapter_state(system).keys() == plainly_named(adapter_state(again)).keys()


OF_TASKS = [("avvp", "han"), ("avqa", "question_only"), ("few_shot", "coop")]


@pytest.mark.parametrize(("task", "name"), OF_TASKS)
def test_systems_of_other_tasks_come_back_from_a_folder_without_a_run(task, name, tmp_path):
    source = next(made for made in find_task(task).sources.values() if not required(made))()
    system = build_system(SystemOptions(task, name, seed=3), source.classes)
    assert system.built_from.seed == 3
    crossmodal.save(system, tmp_path / "saved")
    again = crossmodal.load(tmp_path / "saved")
    assert same(system, again)
    assert type(again.classes) is type(system.classes)


def test_the_header_is_read_without_hashing_or_reading_a_tensor(saved, monkeypatch):
    def hashed(*_):
        raise AssertionError("a tensor was hashed")

    monkeypatch.setattr("crossmodal.checkpoints.adapter_file.digest", hashed)
    monkeypatch.setattr("crossmodal.checkpoints.adapter_file.bytes_of", hashed)
    assert read_header(saved / ADAPTERS)["system"] == "alone"


def test_a_system_that_does_not_say_what_it_was_built_from_needs_options(system, tmp_path):
    options = system.built_from
    del system.built_from
    with pytest.raises(ValueError, match="save: this Alone does not say what it was built from: build it by"):
        crossmodal.save(system, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    crossmodal.save(system, tmp_path / "saved", options)
    assert same(crossmodal.load(tmp_path / "saved"), system)


def test_a_folder_is_written_whole_or_not_at_all_and_over_nothing(system, saved, monkeypatch):
    before = content(saved)
    with pytest.raises(FileExistsError, match="exists and is no empty folder: choose another, or remove it"):
        crossmodal.save(system, saved)
    assert content(saved) == before

    def full(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(saved_folder, "write_whole", full)
    with pytest.raises(OSError, match="no space left"):
        crossmodal.save(system, saved.parent / "second")
    assert [each.name for each in saved.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", [ADAPTERS, ADAPTER_CONFIG])
def test_a_folder_that_lacks_a_file_says_which(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}: it is no folder that crossmodal.save wrote"):
        crossmodal.load(saved)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"format": 2, "version": "7.1.0"}, r"has format 2, written by version 7\.1\.0; this version .* install"),
        (
            {"frozen": "0" * 64},
            "was trained on other encoders: its adapters belong to weights of fingerprint 0000",
        ),
        ({"front_end": ..., "seed": ...}, "lacks seed, front_end: copy it again"),
        ({"classes": ["left", "right"]}, "belongs to another model"),
        ({"seed": 5}, r"belongs to another model:\n.*\n +seed +0 +5"),
        ({"system": "aloen", "version": "7.1.0"}, r"saved by version 7\.1\.0, cannot be rebuilt by this version"),
        ({"arguments": {"widht": 3}}, "cannot be rebuilt by this version"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_a_sentence(saved, entries, said):
    with pytest.raises(ValueError, match=said):
        crossmodal.load(edited(saved, **entries))


WEIGHED = """
from pathlib import Path

import torch
from alone import Alone
from torch import nn


def weighed(*, classes, weights: str | Path | None = None, parts: dict | None = None):
    system = Alone(classes)
    system.frozen = nn.Linear(1, 1).requires_grad_(False)
    system.frozen.weight.fill_(float(Path(weights).read_text()))
    return system
"""


@pytest.fixture
def weighed(alone, tmp_path, monkeypatch):
    """A system with frozen weights from a file, and that file, on a private path."""
    monkeypatch.syspath_prepend(alone)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "weighed.py").write_text(WEIGHED)
    private = tmp_path / "of me" / "mine.txt"
    private.parent.mkdir()
    private.write_text("3")
    return build_system(SystemOptions("ave", "weighed", {"weights": str(private)}), ("dog", "bell")), private


def test_a_file_of_weights_is_shared_by_its_name_and_given_where_it_is_loaded(weighed, tmp_path, monkeypatch):
    system, private = weighed
    crossmodal.save(system, tmp_path / "shared", summary={"data": "the data set AVE"})
    for file in (tmp_path / "shared").iterdir():
        assert str(private.parent).encode() not in file.read_bytes(), file
    card = (tmp_path / "shared/README.md").read_text()
    assert 'load("THIS FOLDER, OR user/name", files={"weights": "PATH OF YOUR mine.txt"})' in card
    assert "Data: the data set AVE." in card
    lacks = (
        r"was built from 'mine\.txt' for weights, which a shared folder does not hold: pass files=\{'weights': 'PATH'\}"
    )
    with pytest.raises(FileNotFoundError, match=lacks):
        crossmodal.load(tmp_path / "shared")
    again = crossmodal.load(tmp_path / "shared", files={"weights": private})
    assert same(again, system)
    assert again.built_from == system.built_from
    with pytest.raises(FileNotFoundError, match=r"'mine\.txt' for weights, which is not there"):
        crossmodal.load(tmp_path / "shared", files={"weights": tmp_path / "gone.txt"})
    with pytest.raises(ValueError, match="file 'weigths' does not exist; nearest: 'weights'"):
        crossmodal.load(tmp_path / "shared", files={"weigths": private})
    (tmp_path / "other.txt").write_text("4")
    with pytest.raises(ValueError, match="was trained on other encoders"):
        crossmodal.load(tmp_path / "shared", files={"weights": tmp_path / "other.txt"})
    shutil.copy(private, tmp_path / "shared")  # beside the adapters it is found
    assert same(crossmodal.load(tmp_path / "shared"), system)
    monkeypatch.chdir(private.parent)  # a relative path is no better
    relative = build_system(SystemOptions("ave", "weighed", {"weights": "mine.txt"}), ("dog", "bell"))
    crossmodal.save(relative, tmp_path / "second")
    assert json.loads((tmp_path / "second" / ADAPTER_CONFIG).read_text())["files"] == {"weights": "mine.txt"}


def test_paths_inside_other_arguments_are_names_too(tmp_path):
    nested = {"a": [{"init_args": {"file": "/home/me/v.bin"}}], "visual": "transformers:/home/me/clip", "width": 3}
    options = SystemOptions("ave", "avel", nested)
    files = named_files(options)
    assert files == {"a.0.init_args.file": "v.bin", "visual": "clip"}
    shared = with_paths(options, files)
    assert shared.arguments == {"a": [{"init_args": {"file": "v.bin"}}], "visual": "transformers:clip", "width": 3}
    back = with_paths(shared, {"a.0.init_args.file": "/home/me/v.bin", "visual": "/home/me/clip"})
    assert back.arguments == nested


def test_a_damaged_configuration_is_refused(saved):
    (saved / ADAPTER_CONFIG).write_text("{")
    with pytest.raises(ValueError, match=f"{ADAPTER_CONFIG} of .* is damaged"):
        crossmodal.load(saved)


def test_a_place_that_is_none_is_refused_in_a_sentence(alone, tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder, and no name of a hub, which looks like user/name"):
        crossmodal.load(tmp_path / "nowhere")
    shutil.copytree(alone / "runs/alone", tmp_path / "begun")
    (tmp_path / "begun" / ADAPTERS).unlink()
    with pytest.raises(FileNotFoundError, match="its training has not ended; go on by --resume"):
        crossmodal.load(tmp_path / "begun")
