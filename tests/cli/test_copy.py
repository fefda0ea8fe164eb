"""`crossmodal copy`: one recipe file becomes the user's own, and runs at once."""

import pytest
import yaml
from commands import SMALL, crossmodal

from crossmodal.cli.copy import recipes


def test_the_copy_trains_as_it_stands(tmp_path):
    said = crossmodal(tmp_path, "copy", "ave/dg_sct", "mine.py")
    assert said.code == 0, said.err
    assert said.lines == ["copied to mine.py; try: crossmodal ave fit --system mine"]
    mine = tmp_path / "mine.py"
    mine.write_text(mine.read_text().replace("width: int | None = None", "width: int | None = 24"))
    words = ["--name", "copied", *SMALL, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1"]
    done = crossmodal(tmp_path, "ave", "fit", "--system", "mine", *words)
    assert done.code == 0, done.err
    assert done.lines[0].startswith("crossmodal ave fit: system mine, on ")
    config = yaml.safe_load((tmp_path / "runs/copied/config.yaml").read_text())
    assert (config["system"], config["model"]["width"]) == ("mine", 24)


@pytest.mark.parametrize("recipe", recipes())
def test_every_recipe_is_one_file_that_imports_nothing_beside_it(tmp_path, recipe):
    name = recipe.replace("/", "_")  # a module of its own: another test has imported others
    said = crossmodal(tmp_path, "copy", recipe, f"{name}.py")
    assert said.code == 0, said.err
    assert [file.name for file in tmp_path.iterdir()] == [f"{name}.py"]
    task = recipe.partition("/")[0]
    printed = crossmodal(tmp_path, task, "fit", "--system", name, "--print_config")
    assert printed.code == 0, printed.err
    original = crossmodal(tmp_path, task, "fit", "--system", recipe.partition("/")[2], "--print_config")
    # defaults that stand in the file itself are the copy's own
    said = printed.out.replace(f" {name}.", f" crossmodal.recipes.{recipe.replace('/', '.')}.")
    assert {**yaml.safe_load(said), "system": ""} == {**yaml.safe_load(original.out), "system": ""}


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.py").write_text("mine")
    said = crossmodal(tmp_path, "copy", "ave/dg_sct", "mine.py")
    assert said.code == 1
    assert "copy: mine.py exists: nothing was copied; choose another name." in said.err
    assert (tmp_path / "mine.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["my-own.py", "mine", "mine.txt"])
def test_a_name_that_cannot_be_imported_is_refused(tmp_path, name):
    said = crossmodal(tmp_path, "copy", "ave/dg_sct", name)
    assert said.code == 1
    assert f"copy: {name} cannot be imported" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recipe_is_refused(tmp_path):
    said = crossmodal(tmp_path, "copy", "avee/dg_sct", "mine.py")
    assert said.code == 1
    assert "copy: there is no recipe 'avee/dg_sct'; there are ave/any_pair, " in said.err
    assert ", ave/dg_sct, " in said.err
