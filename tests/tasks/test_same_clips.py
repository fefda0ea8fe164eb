"""A clip that several questions are about is read once, and every question gets the answer that it gets alone."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.asked_clip import AskedClip, AskingClip
from crossmodal.data.world.asking import AskedWorld
from crossmodal.tasks.resolve import find_system
from crossmodal.tasks.same_clips import read_once


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.booleans())
def test_every_item_finds_its_clip_and_none_is_kept_twice(shown, same_sound):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(4, 2, 3, generator=generator)
    wave = torch.randn(4, 2, 5, generator=generator)
    if same_sound:
        wave[:] = wave[0]
    frames[3] = frames[2].flip(0)  # the same sum, another clip
    once = read_once(frames[shown], wave[shown])
    assert torch.equal(once.frames[once.place], frames[shown])
    assert torch.equal(once.wave[once.place], wave[shown])
    assert len(once.frames) == len({*shown})
    assert once.place.unique_consecutive()[0] == 0


def test_clips_without_numbers_are_kept_apart():
    frames, wave = torch.full((2, 1, 3), torch.nan), torch.zeros(2, 1, 4)
    assert read_once(frames, wave).place.tolist() == [0, 1]
    assert len(read_once(frames.to("meta"), wave.to("meta")).frames) == 2


def test_questions_about_one_clip_run_the_encoders_once_and_are_answered_as_alone():
    torch.manual_seed(0)
    system = find_system("dg_sct", "avqa")(width=32).eval()
    world = AskedWorld("test", clips=3)
    clips = [world[index] for index in (0, 1, 0, 0, 1)]
    questions = [world[index % 3].question for index in range(5)]
    batch = AskingClip(*(torch.stack([getattr(clip, part) for clip in clips]) for part in ("frames", "wave")),
                       torch.stack(questions))  # fmt: skip
    seen = []
    system.sound.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    with torch.no_grad():
        together = system(batch)
        alone = [system(AskingClip(*(part[item : item + 1] for part in batch))) for item in range(5)]
    assert seen == [20, 10, 10, 10, 10, 10]
    for field in ("answer", "where", "seen", "heard", "question"):
        expected = torch.cat([getattr(one, field) for one in alone])
        torch.testing.assert_close(getattr(together, field), expected, rtol=1e-4, atol=1e-5)
    system.train()(batch)
    assert seen[-1] == 50  # a batch norm counts every item
    system.share_clips = True
    system(batch)
    assert seen[-1] == 20


def test_in_training_shared_clips_get_the_gradient_of_all_their_questions():
    """Without batch norm, whose statistics differ, a step on shared clips is that of every question by itself."""
    world = AskedWorld("test", clips=2, questions_per_clip=3)
    batch = AskedClip(*map(torch.stack, zip(*(world[index] for index in (0, 3, 1, 4)), strict=True)))
    gradients = []
    for share in (False, True):
        torch.manual_seed(0)
        system = find_system("dg_sct", "avqa")(width=32, share_clips=share).train()
        for module in system.modules():
            if "BatchNorm" in type(module).__name__ or isinstance(module, torch.nn.Dropout):
                module.eval()
        torch.manual_seed(1)
        for gate in (value for name, value in system.named_parameters() if "gate" in name):
            torch.nn.init.normal_(gate)
        sum(system.loss(system(batch), batch).values()).backward()
        gradients.append({name: value.grad for name, value in system.named_parameters() if value.grad is not None})
    assert {*gradients[0]} == {*gradients[1]}
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, rtol=1e-3, atol=1e-5)
