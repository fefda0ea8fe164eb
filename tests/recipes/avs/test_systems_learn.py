"""Every segmentation system learns on the built-in world: in a few steps, and all it has gets a gradient."""

import pytest
import torch
from torch.utils.data import default_collate

from crossmodal.data.world.segmentation import SegmentedWorld
from crossmodal.heads.masks import DecodedMasks
from crossmodal.tasks.avs import TASK
from crossmodal.tasks.resolve import find_system
from crossmodal.tasks.task import WritesFiles

SMALL = {"channels": 16}
SYSTEMS = ("dg_sct_ms3", "tpavi")
SLOW = ("dg_sct", "dg_sct_s4", "lavish", "lavish_shared")


@pytest.fixture(scope="module")
def clips():
    """Two clips of the world."""
    world = SegmentedWorld("train", clips=2)
    return default_collate([world[0], world[1]])


@pytest.mark.parametrize("name", [*SYSTEMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_few_steps_lower_the_loss(name, clips):
    torch.manual_seed(0)
    system = find_system(name, "avs")(**SMALL)
    trained = {key: parameter for key, parameter in system.named_parameters() if parameter.requires_grad}
    optimizer, losses = torch.optim.Adam(trained.values(), lr=5e-3), []
    for _ in range(4):
        terms = system.loss(system(clips), clips)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        assert not [key for key, parameter in trained.items() if parameter.grad is None]
        optimizer.step()
        losses.append(terms["masks"].item())
    assert losses[-1] < 0.95 * losses[0], losses
    with torch.no_grad():
        outputs = system.eval()(clips)
    weighed = system.probabilities(outputs)
    assert weighed.shape == (2, 5, 7)
    assert ((weighed >= 0) & (weighed <= 1)).all()


def test_masks_of_another_size_are_compared_at_the_true_size(clips):
    """The task's rows, scores and chance, on probabilities of half the size."""
    exact = DecodedMasks(clips.masks.float())
    scores = TASK.scores()
    scores.update(exact, clips)
    assert scores.compute()["overlap"] == 1
    rows = list(TASK.rows(exact, clips, ()))
    assert len(rows) == 10
    assert all(row.value == 1 for row in rows)
    smaller = DecodedMasks(torch.nn.functional.avg_pool2d(clips.masks.float(), 2))
    scores.reset()
    scores.update(smaller, clips)
    assert 0.7 < scores.compute()["overlap"] < 1
    shares = clips.masks.float().mean((2, 3)).flatten()
    chance = TASK.chance(rows)
    assert chance["overlap"] == pytest.approx(max(shares.mean().item(), (shares == 0).float().mean().item()))
    assert isinstance(TASK, WritesFiles)
