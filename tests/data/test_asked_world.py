"""The world asks: answers follow from the clip's truth, and a question alone tells none of them."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from crossmodal.data.asking_sources import AskedWorldSource
from crossmodal.data.world import TEXTURES, TINY
from crossmodal.data.world.asking import WAITING, AskedWorld
from crossmodal.data.world.questions import (
    BY_KIND,
    TEMPLATES,
    TIMBRE_NAMES,
    WORLD_QUESTIONS,
    has_answer,
    questions_of,
)
from crossmodal.metrics.answers import QUESTION_KINDS
from crossmodal.tasks.sound_matching import for_grounding


def test_every_kind_is_asked():
    assert {QUESTION_KINDS[template.kind] for template in TEMPLATES} == {*QUESTION_KINDS}
    assert len(TIMBRE_NAMES) == len(TEXTURES)
    asked = Counter(question.template.kind for question in AskedWorld(clips=900).questions)
    assert {*asked.values()} == {100}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_question_alone_is_at_chance(seed):
    """By counting: every text comes with each of its answers equally often, so the best guess is one of them."""
    world = AskedWorld(clips=9 * 240, seed=seed)
    answers = defaultdict(Counter)
    for question in world.questions:
        answers[question.words][question.answer] += 1
    possible = {text[0].words: len(text) for template in TEMPLATES for text in questions_of(template)}
    assert {*answers} == {*possible}
    for words, counted in answers.items():
        # the last text of a kind may be cut off in the middle
        assert max(counted.values()) - min(counted[answer] for answer in counted) <= 1
        assert len(counted) == possible[words]
    guessed = sum(max(counted.values()) for counted in answers.values())
    chance = sum(sum(counted.values()) / possible[words] for words, counted in answers.items())
    assert guessed <= chance + len(TEMPLATES)


def test_training_tells_nothing_of_the_test_questions():
    """The best guess from the training questions is at chance on the test questions."""
    train, test = (AskedWorld(split, clips=clips) for split, clips in (("train", 1800), ("test", 1800)))
    known = defaultdict(Counter)
    for question in train.questions:
        known[question.words][question.answer] += 1
    possible = {text[0].words: len(text) for template in TEMPLATES for text in questions_of(template)}
    right = sum(known[question.words].most_common(1)[0][0] == question.answer for question in test.questions)
    chance = sum(1 / possible[question.words] for question in test.questions)
    assert abs(right - chance) < 0.01 * len(test)


def test_answers_follow_from_the_truth():
    world = AskedWorld(clips=18, seed=3)
    for at, question in enumerate(world.questions):
        scene = world.scene(at)
        assert question.template.rule(scene, question.values) == question.answer
        again = AskedWorld(clips=18, seed=3).scene(at)
        assert np.array_equal(scene.sounds.loudness, again.sounds.loudness)  # whatever was read before


def test_several_questions_about_a_clip_are_of_different_kinds_and_balanced():
    clips, each = 60, 5
    world = AskedWorld(clips=clips, questions_per_clip=each, seed=1)
    kinds = defaultdict(Counter)
    assert len(world) == len(world.questions) == len({*world.names}) == clips * each
    for clip in range(clips):
        scene, asked = world.scene(clip * each), world.questions[clip * each : (clip + 1) * each]
        assert all(has_answer(scene, question) for question in asked)
        assert len({question.template.kind for question in asked}) == each
        for question in asked:
            kinds[question.template.kind][question.words, question.answer] += 1
    assert {*kinds} == {*range(len(QUESTION_KINDS))}
    for kind, counted in kinds.items():
        assert counted.total() >= 0.4 * clips * each / len(QUESTION_KINDS)
        texts = [text for template in BY_KIND[kind] for text in questions_of(template)]
        for text in texts:
            answers = [counted[question.words, question.answer] for question in text]
            # of all that waits, a text's share is one round in so many as there are templates
            waiting = -(-WAITING // sum(len(questions_of(template)[0]) for template in BY_KIND[kind]))
            assert max(answers) - min(answers) <= waiting + 1


def test_items_about_one_clip_show_the_same_and_a_clip_is_the_same_whatever_was_read_before():
    world, other = (AskedWorld("val", clips=4, questions_per_clip=3) for _ in range(2))
    items = [world[index] for index in (3, 4, 5)]
    other[9]
    for item in (*items[1:], other[3]):
        assert all(torch.equal(getattr(item, part), getattr(items[0], part)) for part in ("frames", "wave", "others"))
    assert torch.equal(other[4].question, items[1].question)
    assert len({tuple(item.question.tolist()) for item in items}) == 3


def test_the_grounding_stage_takes_every_clip_once():
    source = AskedWorldSource(clips=4, held_out=2, questions_per_clip=3, together=True)
    source.preprocess = TINY
    once = for_grounding(source)
    once.preprocess = TINY
    items, every = once.split("train"), source.split("train")
    assert (len(items), items.names) == (4, every.names[::3])
    assert torch.equal(items[2].frames, every[7].frames)
    assert items.stamp(2) == every.stamp(6)
    assert list(source.groups()) == [item // 3 for item in range(12)]
    assert once.groups() is AskedWorldSource(clips=4).groups() is None


def test_items():
    world = AskedWorld("test", clips=3)
    item = world[1]
    assert item.frames.shape == item.others.shape == (10, 3, 64, 64)
    assert WORLD_QUESTIONS[item.answer] == world.questions[1].answer
    assert tuple(WORLD_QUESTIONS.words[at] for at in item.question if at) == world.questions[1].words
    assert torch.equal(world[-2].wave, item.wave)
    assert not torch.equal(item.frames, item.others)
    assert AskedWorld(clips=1)[0].others.shape == item.others.shape
    with pytest.raises(IndexError, match="AskedWorld: item 3 does not exist"):
        world[3]
    for wrong in ({"split": "dev"}, {"clips": 0}, {"seed": -1}, {"questions_per_clip": 0}, {"questions_per_clip": 6}):
        with pytest.raises(ValueError, match="AskedWorld"):
            AskedWorld(**wrong)
