"""Every answering system learns on the built-in world: a few steps lower its loss, and all it has gets a gradient."""

from functools import partial

import pytest
import torch
from torch.utils.data import default_collate

from crossmodal.checkpoints import adapter_state
from crossmodal.data.vocabulary import Vocabulary
from crossmodal.data.world.asking import AskedWorld
from crossmodal.heads.grounding import SoundGrounding
from crossmodal.heads.tri_modal import TriModalTransformer
from crossmodal.injection import freeze_all_but_norms
from crossmodal.recipes.avqa.lavish_shared import SETTINGS as LAVISH
from crossmodal.recipes.avqa.released_adapters import two_latents
from crossmodal.tasks.avqa import TASK
from crossmodal.tasks.feature_inputs import extract_features
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import find_system
from crossmodal.tasks.sound_matching import matching_of_clips, matching_of_features
from crossmodal.tasks.stages import frozen_for_stage, stages_of
from crossmodal.tasks.task import Features, System
from crossmodal.training.options import parse

GROUNDER = partial(SoundGrounding, hidden=(16, 8))
SMALL = {
    "st_avqa": {"width": 32, "grounder": GROUNDER},
    "avsd": {"width": 32, "words": 16, "frames": 2},
    "pano_avqa": {
        "width": 32,
        "transformer": partial(TriModalTransformer, heads=4, hidden=32, layers=(1, 1, 1), across=1),
    },
    "question_only": {"width": 32},
    "dg_sct": {"width": 32, "grounder": GROUNDER},
    "dg_sct_released": {"width": 32, "grounder": GROUNDER},
    "lavish": {"width": 32, "grounder": GROUNDER},
    "lavish_shared": {"width": 32, "grounder": GROUNDER, "latents": two_latents},
}
COUPLED = ("dg_sct", "dg_sct_released", "lavish", "lavish_shared")


@pytest.fixture(scope="module")
def clips():
    """Two clips of the world."""
    world = AskedWorld("train", clips=2)
    return default_collate([world[0], world[1]])


def read(clips, system):
    return extract_features(clips, system.inputs) if isinstance(system.inputs, Features) else clips


def test_every_system_is_here():
    assert {*SMALL} == {*system_names("avqa")}
    assert [stage.name for stage in stages_of("lavish", "avqa")] == ["grounding"]
    assert not stages_of("avsd", "avqa")


ALIKE = ("dg_sct_released", "lavish")
"""They differ from `dg_sct` by what couples the encoders, which has tests of its own."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in ALIKE else name for name in SMALL]
)
def test_a_few_steps_lower_the_loss(name, clips):
    torch.manual_seed(0)
    system = find_system(name, "avqa")(**SMALL[name])
    assert isinstance(system, System)
    assert isinstance(system.classes, Vocabulary)
    batch = read(clips, system)
    trained = [parameter for parameter in system.parameters() if parameter.requires_grad]
    few = name in COUPLED  # a step of theirs runs the encoders, too
    optimizer, losses = torch.optim.Adam(trained, lr=5e-3 if few else 2e-3), []
    for _ in range(4 if few else 12):
        loss = sum(system.loss(system(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0], losses
    with torch.no_grad():
        outputs = system.eval()(batch)
    scores = TASK.scores()
    prediction = system.predict(outputs)
    scores.update(prediction, batch)
    assert all(0 <= value <= 1 for value in scores.compute().values())  # of kinds that were asked alone
    assert (system.probabilities(outputs).sum(2) - 1).abs().max() < 1e-5
    rows = list(TASK.rows(prediction, batch, system.classes))
    assert [row.columns["truth"] for row in rows] == [system.classes[at] for at in batch.answer]


@pytest.mark.parametrize("name", ["dg_sct", "st_avqa"])
def test_grounding_trains_the_system_that_it_is_a_part_of(name, clips):
    system = find_system(name, "avqa")(**SMALL[name])
    part = matching_of_clips(system) if name == "dg_sct" else matching_of_features(system)
    batch = read(clips, part)
    trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in trained} <= {id(parameter) for parameter in system.parameters()}
    before = system.get_parameter("head.grounder.match.layers.0.weight").clone()
    optimizer, losses = torch.optim.Adam(trained, lr=5e-3), []
    for _ in range(5):
        loss = part.loss(part(batch), batch)["match"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], losses
    assert not torch.equal(before, system.get_parameter("head.grounder.match.layers.0.weight"))


def test_lavish_trains_the_norms_of_its_encoder_as_published(clips):
    words = (["--system=lavish_shared", f"--model.visual={name}"] for name in ("swin_v2_l", "tiny"))
    assert [parse(of, TASK)[1].encoders for of in words] == [freeze_all_but_norms, None]  # tiny ones: quick settings
    system = find_system("lavish_shared", "avqa")(**SMALL["lavish_shared"])
    encoder = LAVISH.encoders(system.coupled.encoder("visual"))
    sum(system.loss(system(clips), clips).values()).backward()
    moved = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    assert moved
    assert moved == {name for name in dict(encoder.named_parameters()) if "norm" in name or name.startswith("head.")}
    assert all(encoder.get_parameter(name).grad.abs().max() > 0 for name in moved)
    kept = {name.removeprefix("coupled.encoders.shared.") for name in adapter_state(system)}
    assert moved <= kept
    part = matching_of_clips(system)
    with frozen_for_stage(part):  # no gradient reaches them there
        assert all(name.startswith(("grounder.", "tokens.project.")) for name in adapter_state(part))
    assert moved == {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}


def test_features_of_other_widths_and_labels_without_words_are_refused(clips):
    system = find_system("st_avqa", "avqa")("music_avqa", "music_avqa")
    with pytest.raises(ValueError, match=r"expected features \(clip, segment, token, 512\).* --data.features"):
        system(clips)
    with pytest.raises(ValueError, match="visual='music_avqa' and audio='tiny' must both be 'music_avqa', or neither"):
        find_system("st_avqa", "avqa")("music_avqa", "tiny")
    with pytest.raises(ValueError, match="avsd: classes are 2 labels without words"):
        find_system("avsd", "avqa")(classes=("yes", "no"))
