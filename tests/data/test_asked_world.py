"""The world asks: answers follow from the clip's truth, and a question alone tells none of them."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from crossmodal.data.world import TEXTURES
from crossmodal.data.world.asking import AskedWorld
from crossmodal.data.world.questions import TEMPLATES, TIMBRE_NAMES, WORLD_QUESTIONS, questions_of
from crossmodal.metrics.answers import QUESTION_KINDS


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
    for wrong in ({"split": "dev"}, {"clips": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match="AskedWorld"):
            AskedWorld(**wrong)
