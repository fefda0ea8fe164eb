"""Every system on class names learns on the built-in world, and computes its class features no more than it must."""

import pytest
import torch

from crossmodal.data.shot_world import HELD_OUT, ShotWorldSource
from crossmodal.data.shots import ShotClip
from crossmodal.named_draws import seeded_draws
from crossmodal.tasks.few_shot import TASK
from crossmodal.tasks.names import system_names
from crossmodal.tasks.pretrain import TASK as PRETRAIN
from crossmodal.tasks.resolve import find_system, system_module

NAMES = (*HELD_OUT, "background")
STATIC = ("clip", "clap", "clip_adapter")


@pytest.fixture(scope="module")
def clips():
    """Three seconds of two clips of the world, of two classes."""
    items = ShotWorldSource(shots=1).split("train")
    return ShotClip(*(torch.stack(parts)[:, 4:7] for parts in zip(items[0], items[1], strict=True)))


def runs_of(text):
    """Counts the runs of a text tower."""
    count = []
    text.norm.register_forward_hook(lambda *_: count.append(1))
    return count


def text_of(system):
    return system.names.text if hasattr(system, "names") else system.model.text


@pytest.mark.parametrize("name", system_names("few_shot"))
def test_a_few_steps_lower_the_loss_and_text_towers_run_no_more_than_needed(name, clips):
    torch.manual_seed(0)
    system = find_system(name, "few_shot")(classes=NAMES)
    system.train()
    steps, runs = 4, runs_of(text_of(system))
    trained = [parameter for parameter in system.parameters() if parameter.requires_grad]
    assert bool(trained) == (name not in ("clip", "clap"))
    losses = []
    for _ in range(steps):
        loss = system.loss(system(clips), clips)["event"]
        losses.append(loss.item())
        if trained:
            loss.backward()
            with torch.no_grad():
                norm = torch.stack([p.grad.norm() for p in trained if p.grad is not None]).norm()
                for parameter in trained:
                    if parameter.grad is not None:
                        parameter -= 0.2 * parameter.grad / norm
                        parameter.grad = None
    if trained:
        assert min(losses[1:]) < losses[0], losses
    assert len(runs) == (1 if name in STATIC else steps)
    system.eval()
    runs.clear()
    with torch.no_grad():
        found = [system.predict(system(clips)) for _ in range(3)]
    assert len(runs) == (3 if name == "cocoop" else name not in STATIC)
    torch.testing.assert_close(found[0].scores, found[2].scores)
    for task in (TASK, PRETRAIN):
        scores = task.scores()
        scores.update(found[0], clips)
        rows = list(task.rows(found[0], clips, NAMES))
        assert scores.compute()["accuracy"] == pytest.approx(sum(row.value for row in rows) / len(rows))


def test_other_names_are_matched_and_their_order_only_permutes():
    frames, wave = torch.rand(1, 2, 3, 64, 64), 0.1 * torch.randn(1, 2, 16_000)
    clip = ShotClip(frames, wave, torch.zeros(1, 1, 9))
    for name in ("coop", "clip", "dg_sct"):
        system = find_system(name, "few_shot")(classes=NAMES).eval()
        with torch.no_grad():
            before = system.predict(system(clip)).scores
            system.use_classes(NAMES[::-1])
            after = system.predict(system(clip)).scores
            torch.testing.assert_close(after.flip(2), before)
            system.use_classes(["red disc", "blue", "dots"])
            assert system.predict(system(clip)).scores.shape == (1, 2, 3)
        assert system.classes == ("red disc", "blue", "dots")


def test_settings_are_those_of_the_task_that_takes_a_system_of_another():
    assert system_module("coop", "zero_shot").SETTINGS.trainer["max_epochs"] == 0
    assert system_module("coop", "few_shot").SETTINGS.trainer["max_epochs"] == 200
    assert set(system_names("zero_shot")) == set(system_names("few_shot"))
    assert set(system_names("pretrain")) == set(system_names("few_shot")) - {"clip", "clap"}


def test_a_sentence_guides_both_streams_and_an_untrained_one_changes_nothing(clips):
    """Another sentence gives other scores once the gates are open; the parameters of its adapters get a gradient."""
    built = []
    for keywords in ({}, {"sentence": "red dots"}):
        with seeded_draws(0):  # what both have begins alike
            built.append(find_system("dg_sct", "few_shot")(classes=NAMES, **keywords).eval())
    plain, said = built
    with torch.no_grad():
        torch.testing.assert_close(said(clips).scores, plain(clips).scores, rtol=0, atol=1e-4)
    edges = {edge for by_edge in said.run(clips.frames, clips.wave).maps.values() for edge in by_edge}
    assert {("text", "visual"), ("text", "audio")} < edges
    for name, parameter in said.coupled.named_parameters():
        if "finish" in name or name.endswith("gate"):
            torch.nn.init.constant_(parameter, 0.3)
    scores = said(clips).scores
    scores.square().sum().backward()
    adapters = [p for name, p in said.coupled.couplers.named_parameters() if "text_" in name]
    assert adapters
    assert all(parameter.grad is not None for parameter in adapters)
    said.sentence = -said.sentence
    assert (said(clips).scores - scores).abs().max() > 1e-4
