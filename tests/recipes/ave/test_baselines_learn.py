"""Every event baseline learns on the built-in world: a few steps on features of tiny encoders lower its loss."""

import pytest
import torch

from crossmodal.data import LabelledClip, World
from crossmodal.tasks import ave
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.resolve import find_system, settings_module

SMALL = {
    "avel": {},
    "avel_av": {},
    "avel_weak": {},
    "avsdn": {"hidden": 32},
    "avsdn_weak": {"hidden": 32},
    "avsdn_paper": {"hidden": 32},
    "cman": {"width": 32},
    "cman_weak": {"width": 32},
    "dam": {"width": 32},
    "cmran": {"width": 32},
    "cmran_weak": {"width": 32},
    "cmbs": {"width": 32},
    "cmbs_weak": {"width": 32},
}


@pytest.fixture(scope="module")
def batch():
    """Four clips of the world as all these systems read them."""
    system = find_system("avel_av", "ave")()
    world = World("train", clips=4, preprocess=system.inputs.preprocess)
    clips = [world[index] for index in range(4)]
    return extract_features(LabelledClip(*map(torch.stack, zip(*clips, strict=True))), system.inputs)


@pytest.mark.parametrize("name", SMALL)
def test_a_few_steps_lower_the_loss(name, batch):
    torch.manual_seed(0)
    build = find_system(name, "ave")
    assert settings_module(build).SETTINGS.trainer["max_epochs"] > 1
    system = build(**SMALL[name])
    optimizer = torch.optim.Adam(system.parameters(), lr=ave.TASK.quick.optim["lr"])
    losses = []
    for _ in range(12):
        loss = sum(system.loss(system(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0], losses
    assert all(parameter.grad is not None for parameter in system.parameters())
    scores = ave.TASK.scores()
    scores.update(system.eval().predict(system(batch)), batch)
    assert 0 <= scores.compute()["accuracy"] <= 1
