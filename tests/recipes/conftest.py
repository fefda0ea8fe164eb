"""One finished run that many tests look at, and films to predict on."""

from fractions import Fraction

import pytest
from commands import MINE, SMALL, crossmodal
from films import film


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A folder with a module of our own and one finished run, `runs/first`, and what its `fit` said."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "mylab.py").write_text(MINE)
    said = crossmodal(folder, "ave", "fit", "--name", "first", *SMALL)
    assert said.code == 0, said.err
    return folder, said


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
