"""One hypothesis profile for all: no deadline (shared machines), derandomised (a red run is red again)."""

import os
import shutil
import sys
from fractions import Fraction

import pytest
import torch
from commands import ALONE, FITTED, MINE, SMALL, crossmodal
from films import film
from hypothesis import settings

settings.register_profile("crossmodal", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("crossmodal")

# what is computed must not depend on what a busy machine measures; commands that tests start inherit it
os.environ.setdefault("CROSSMODAL_PRODUCTS", "onednn")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # as many workers as cores: threads of one would only wait for those of another


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keeps one law of compiled blocks a file among the quick tests: each takes seconds to trace."""
    kept = set()
    for item in items:
        if item.name.endswith(": compiled]"):
            if item.path in kept:
                item.add_marker(pytest.mark.slow)
            kept.add(item.path)


@pytest.fixture(autouse=True)
def no_module_of_another_test():
    """Forgets `mylab`: every test that has such a module writes one of its own."""
    sys.modules.pop("mylab", None)
    yield
    sys.modules.pop("mylab", None)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A folder with a module of our own and one finished run, `runs/first`, and what its `fit` said."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "mylab.py").write_text(MINE)
    said = crossmodal(folder, "ave", "fit", "--name", "first", *SMALL, drawn=5)
    assert said.code == 0, said.err
    shutil.copy(folder / "runs/first/report.html", folder / FITTED)
    return folder, said


@pytest.fixture(scope="session")
def classified(tmp_path_factory):
    """A folder with one finished run of `classify`, `runs/first`."""
    folder = tmp_path_factory.mktemp("classified")
    small = [*SMALL, "--data.clips=6", "--data.held_out=5", "--trainer.max_epochs=1"]
    said = crossmodal(folder, "classify", "fit", "--name", "first", *small, drawn=5)
    assert said.code == 0, said.err
    return folder


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """A folder with a system without adapters and its finished run of `ave`, `runs/alone`."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "alone.py").write_text(ALONE)
    words = ["--system", "alone", "--name", "alone", *SMALL, "--trainer.max_epochs=1"]
    said = crossmodal(folder, "ave", "fit", *words, drawn=1)
    assert said.code == 0, said.err
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Films of the given length in seconds, at 10 frames a second."""
    folder, made = tmp_path_factory.mktemp("films"), {}

    def write(seconds):
        if seconds not in made:
            pictures = tuple(Fraction(index, 10) for index in range(round(seconds * 10)))
            made[seconds] = film(folder / f"{seconds}.mp4", picture=pictures, sound=(0, seconds))
        return made[seconds]

    return write
