"""Every verb on tiny models and the segmented world."""

import pytest
from commands import SMALL, crossmodal

pytestmark = pytest.mark.slow  # the verbs themselves are tested quickly on other tasks
FEW = [*SMALL, "--model.channels=8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of DG-SCT."""
    folder = tmp_path_factory.mktemp("verbs")
    said = crossmodal(folder, "avs", "fit", "--name", "first", *FEW, "--data.clips=8", "--data.held_out=8")
    assert said.code == 0, said.err
    return folder


def test_test_look_and_figure(folder):
    said = crossmodal(folder, "avs", "test", "--run", "runs/first")
    assert said.code == 0, said.err
    said = crossmodal(folder, "avs", "look", "--run", "runs/first", "--clips", "3", "--figures", "1")
    assert said.code == 0, said.err
    assert "points at sounding object" in said.out
    said = crossmodal(folder, "avs", "figure", "--run", "runs/first", "--clips", "8", "--train_clips", "8")
    assert said.code == 0, said.err


def test_compare_ablate_and_cost(folder):
    said = crossmodal(
        folder, "avs", "compare", "--systems", "dg_sct", "tpavi", "--print-commands", "--seeds", "0", "--", *FEW
    )
    assert said.code == 0, said.err
    assert "--system tpavi" in said.out
    said = crossmodal(folder, "avs", "cost", "--system", "tpavi", "--model.channels=8")
    assert said.code == 0, said.err
    assert "head" in said.out
