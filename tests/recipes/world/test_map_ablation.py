"""Worlds in which a map matters: the commands parse, and nothing but a map crosses from second to second."""

import pytest
import torch

from crossmodal.heads import SegmentProjection
from crossmodal.recipes.world.map_ablation import WORLDS, options_of_world
from crossmodal.tasks.ave import TASK
from crossmodal.training.options import parse


@pytest.mark.parametrize("world", WORLDS)
def test_every_row_is_a_run_of_its_world(world, capsys):
    from crossmodal.cli.ablate import ablate

    words = options_of_world(world, ["--print-commands"])
    assert parse(words[words.index("--") + 1 :], TASK)[1].data.answer == world
    assert ablate(words, TASK) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = 1 + sum(word in ("--without", "--set") for word in words[: words.index("--")])
    assert len(lines) == 5 * rows == len(set(lines))


def test_segments_are_projected_by_themselves():
    torch.manual_seed(0)
    block = SegmentProjection(6, 4, width=8)
    visual, audio = torch.randn(2, 5, 6), torch.randn(2, 5, 4)
    before = block(visual, audio)
    assert (before.gate > 0).all()
    assert (before.gate < 1).all()
    visual[:, 3], audio[:, 1] = 9.0, 9.0
    after = block(visual, audio)
    for name, changed in {"visual": {3}, "audio": {1}, "gate": {1, 3}}.items():
        moved = (getattr(before, name) != getattr(after, name)).any(2)
        assert {at for at in range(5) if moved[:, at].any()} == changed
    with pytest.raises(ValueError, match="SegmentProjection"):
        block(audio, audio)


def test_an_option_may_have_the_name_of_a_world(capsys):
    from crossmodal.recipes.world.map_ablation import main

    assert main(["second", "--runs", "second", "--seeds", "3", "--print-commands"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("/second --name" in line and "--seed 3" in line for line in lines)
