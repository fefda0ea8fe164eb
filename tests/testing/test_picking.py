"""Each guidance finds what it is for, and nothing else; none finds anything where nothing is picked."""

from functools import cache

import pytest
import torch
from torch import nn

from crossmodal.evaluation.picking import GUIDANCES, draw_matrix, main, markdown_table
from crossmodal.shapes import shape_checks
from crossmodal.testing import picks

HOME = {"channel": "channel", "token": "spatial", "band": "frequency", "second": "clip"}
FOREIGN = [(task, name) for task, home in HOME.items() for name in ("none", *HOME.values()) if name != home]
CHANCE = 0.57
"""Four deviations above one half, of a thousand clips, and a little."""


@cache
def accuracy(task: str, name: str, seed: int = 0, *, shuffled: bool = False) -> float:
    with shape_checks(False):
        return picks(
            GUIDANCES[name], task, seed=seed, steps=200 if shuffled or name == "none" else 400, shuffled=shuffled
        )


@pytest.mark.parametrize(("task", "name"), HOME.items())
def test_a_guidance_finds_what_the_cue_picks(task, name):
    assert accuracy(task, name) > 0.8


@pytest.mark.parametrize(("task", "name"), FOREIGN)
def test_no_other_does(task, name):
    assert accuracy(task, name) < CHANCE


@pytest.mark.parametrize(("task", "name"), HOME.items())
def test_where_nothing_is_picked_all_are_at_chance(task, name):
    assert accuracy(task, name, shuffled=True) < CHANCE


def test_a_second_named_by_its_own_cue_needs_no_clip():
    assert accuracy("own second", "segment") > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_the_matrix_at_other_seeds(seed):
    assert all(accuracy(task, name, seed) > 0.75 for task, name in HOME.items())
    assert all(accuracy(task, name, seed) < CHANCE for task, name in FOREIGN)
    assert all(accuracy("own second", name, seed) > 0.9 for name in GUIDANCES if name != "none")
    assert accuracy("second", "segment", seed) < CHANCE
    shuffled = [accuracy(task, name, seed, shuffled=True) for task in HOME for name in GUIDANCES]
    assert max(shuffled) < CHANCE


class Constant(nn.Module):
    """A map that looks at nothing."""

    def __init__(self, channels: int, cue_channels: int):
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))

    def forward(self, stream, cue):
        return self.level.sigmoid().expand(len(stream), 1, 1)


def test_torch_has_the_generator_that_it_had():
    before = torch.get_rng_state()
    first = picks(Constant, "token", steps=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert picks(Constant, "token", steps=2) == first


def test_a_task_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="picks: there is no task 'tokens'; did you mean 'token'"):
        picks(None, "tokens")


def test_the_command_prints_a_matrix_with_my_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("crossmodal.evaluation.picking.GUIDANCES", {"none": None})
    monkeypatch.setattr(
        "crossmodal.evaluation.picking.picks", lambda factory, task, **_: 0.5 if factory is None else 0.98
    )
    (tmp_path / "mylab.py").write_text("class TopK: pass\n")
    main(["--mine", "mylab.TopK", "--tasks", "token", "--seeds", "0", "--figure", "matrix.png"])
    assert capsys.readouterr().out.splitlines() == [
        "| the cue picks a   | none   | TopK       |",
        "|:------------------|:-------|:-----------|",
        "| token             | 50 ± 0 | **98 ± 0** |",
    ]
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_row_without_a_winner_has_no_bold_cell(tmp_path):
    found = {"token": {"none": [0.5, 0.52], "spatial": [0.49, 0.51]}}
    assert "**" not in markdown_table(found)
    draw_matrix(found, tmp_path / "matrix.svg")
    assert (tmp_path / "matrix.svg").read_text().startswith("<?xml")
