"""Every parsing system learns on the built-in world: a few steps lower its loss, and all it has gets a gradient."""

from functools import partial

import pytest
import torch

from crossmodal.data.parsed_clip import ParsedClip
from crossmodal.data.world.parsing import ParsedWorld
from crossmodal.heads.class_groups import ClassGroups
from crossmodal.tasks.avvp import TASK
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.resolve import find_system
from crossmodal.tasks.task import Features

HEAD = partial(ClassGroups, depths=(1, 1, 1), heads=4, drop_path=0.0)
SMALL = {
    "han": {"width": 32},
    "mgn": {"width": 32, "head": HEAD},
    "avel": {"width": 32, "hidden": 16},
    "avsdn": {"width": 32, "hidden": 16},
    "dg_sct": {"width": 32, "head": HEAD},
    "dg_sct_released": {"width": 32, "head": HEAD},
}


@pytest.fixture(scope="module")
def clips():
    """Two clips of the world."""
    world = ParsedWorld("train", clips=2)
    return ParsedClip(*map(torch.stack, zip(*(world[index] for index in range(2)), strict=True)))


@pytest.mark.parametrize("name", SMALL)
def test_a_few_steps_lower_the_loss(name, clips):
    torch.manual_seed(0)
    system = find_system(name, "avvp")(**SMALL[name])
    batch = extract_features(clips, system.inputs) if isinstance(system.inputs, Features) else clips
    trained = [parameter for parameter in system.parameters() if parameter.requires_grad]
    few = name.startswith("dg_sct")  # a step of theirs runs the encoders, too
    optimizer, losses = torch.optim.Adam(trained, lr=5e-3 if few else 2e-3), []
    for _ in range(6 if few else 12):
        loss = sum(system.loss(system(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0], losses
    with torch.no_grad():
        outputs = system.eval()(batch)
    scores = TASK.scores()
    scores.update(system.predict(outputs), batch)
    assert 0 <= scores.compute()["type_at_av"] <= 1
    weighed = system.probabilities(outputs)
    assert weighed.shape == (2, 10, 9)
    assert (weighed >= 0).all()
    assert (weighed <= 1).all()


def test_published_features_of_other_widths_are_refused(clips):
    system = find_system("han", "avvp")("llp", "llp", width=8)
    with pytest.raises(ValueError, match=r"expected features \(clip, segment, token, 2048\).* --data.features"):
        system(clips)
    with pytest.raises(ValueError, match="visual='llp' and audio='tiny' must both be 'llp', or neither"):
        find_system("han", "avvp")("llp", "tiny")
