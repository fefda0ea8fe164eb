"""`crossmodal copy`: a recipe becomes the user's own."""

import re

import pytest
import yaml
from commands import SMALL, crossmodal, module


def test_the_copy_trains_from_its_own_folder(tmp_path):
    said = crossmodal(tmp_path, "copy", "ave", "mine/")
    assert said.code == 0
    assert "try: python -m mine fit" in said.out
    recipe = tmp_path / "mine/dg_sct.py"
    recipe.write_text(recipe.read_text().replace("alpha: float = 0.3", "alpha: float = 0.25"))
    words = ["fit", "--name", "copied", *SMALL, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1"]
    done = module(tmp_path, "mine", *words)
    assert done.code == 0, done.err
    assert done.lines[0].startswith("crossmodal ave fit: tiny model")
    assert yaml.safe_load((tmp_path / "runs/copied/config.yaml").read_text())["model"]["alpha"] == 0.25
    done = module(tmp_path, "mine", "fti")
    assert done.code == 2
    assert "usage: python -m mine fit | test | predict" in done.err
    assert "crossmodal: there is no command 'fti'. Did you mean 'fit'?" in done.err


def test_the_copies_import_each_other_and_the_rest_from_recipes(tmp_path):
    crossmodal(tmp_path, "copy", "ave", "mine")
    texts = {file.stem: file.read_text() for file in (tmp_path / "mine").iterdir()}
    own = {module for text in texts.values() for module in re.findall(r"from \.(\w+) import", text)}
    rest = {module for text in texts.values() for module in re.findall(r"from recipes\.(\w+) import", text)}
    assert own < set(texts)
    assert not rest & (set(texts) - {"__main__"})
    assert not [name for name, text in texts.items() if '"recipes.' in text]


@pytest.mark.parametrize("present", ["dg_sct.py", "__init__.py", "__main__.py"])
def test_nothing_is_overwritten(tmp_path, present):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / present).write_text("mine")
    said = crossmodal(tmp_path, "copy", "ave", "mine")
    assert said.code == 1
    assert f"copy: mine/ has {present} already: nothing was copied" in said.err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == [present]


def test_a_name_that_cannot_be_imported_is_refused(tmp_path):
    said = crossmodal(tmp_path, "copy", "ave", "my-own")
    assert said.code == 1
    assert "'my-own' cannot be imported" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_recipe_is_refused(tmp_path):
    said = crossmodal(tmp_path, "copy", "avee", "mine")
    assert said.code == 2
    assert "invalid choice: 'avee'" in said.err
