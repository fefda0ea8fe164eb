"""Worlds whose answer lies in a channel, a band or a second: the cue chooses it, and neither sense alone tells it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.source import WorldSource
from crossmodal.data.world import World
from crossmodal.data.world.answers import ANSWERS, ASKS, SHOWING
from crossmodal.data.world.scene import Difficulty
from crossmodal.data.world.sound import TONES

CHOSEN = [name for name in ANSWERS if name not in ("place", "pair")]
draws = {"seed": st.integers(0, 2**32 - 1)}


def drawn(name, seed):
    """Objects and sounds of a clip, and the answer of those or of others."""
    rule = ANSWERS[name]
    objects, sounds = rule.draw(np.random.default_rng(seed), Difficulty())

    def answer(objects=objects, sounds=sounds):
        labels = rule.labels(objects, sounds, Difficulty())
        assert len(set(labels)) == 1
        assert 0 <= labels[0] < len(rule.classes(Difficulty()))
        return int(labels[0])

    return objects, sounds, answer


def test_an_object_is_seen_in_its_second_alone():
    world = World("val", clips=3, answer="second")
    for truth in map(world.truth, range(3)):
        assert truth.masks.any(axis=(2, 3)).sum(axis=1).tolist() == [int(second in SHOWING) for second in range(10)]
        assert truth.coloured.sum(axis=1).tolist() == truth.visible.sum(axis=1).tolist() == truth.shown.sum(1).tolist()


@given(**draws)
def test_in_a_second_each_mark_names_another_colour_of_the_same_frames(seed):
    objects, sounds, answer = drawn("second", seed)
    found = {answer(sounds=sounds._replace(loudness=np.eye(10, 1, 1 - second))) for second in SHOWING}
    assert found == set(objects.colour.tolist())
    assert len(found) == len(SHOWING)


@given(**draws)
def test_in_a_channel_the_sound_asks_for_the_colour_or_the_texture(seed):
    objects, sounds, answer = drawn("channel", seed)
    asked = [answer(sounds=sounds._replace(texture=np.array([ask]))) for ask in ASKS]
    assert asked == [objects.colour[0], objects.texture[0, 0]]


@given(**draws)
def test_in_a_band_the_other_colour_is_the_other_answer_to_the_same_sound(seed):
    objects, sounds, answer = drawn("band", seed)
    assert sorted(answer(objects._replace(colour=np.array([band]))) for band in (0, 1)) == [0, 1]
    assert all(tone in TONES[band] for band, tone in enumerate(sounds.texture))


@pytest.mark.parametrize("name", CHOSEN)
def test_neither_modality_alone_tells_the_answer(name):
    """Given what one modality shows of the answer, every answer that it allows is as likely."""
    clips = [drawn(name, seed) for seed in range(400)]
    for part in (lambda objects, _: objects.colour[0], lambda _, sounds: sounds.texture[0]):
        groups = {}
        for objects, sounds, answer in clips:
            groups.setdefault(int(part(objects, sounds)), []).append(answer())
        assert all(max(np.bincount(labels)) < 0.75 * len(labels) for labels in groups.values() if len(labels) > 40)


def test_a_source_says_where_its_answer_lies():
    assert "the answer in a second" in WorldSource(answer="second").describe()
    with pytest.raises(
        ValueError, match=r"World: answer='when' must be one of 'place', 'pair', 'channel', 'band', 'second'\."
    ):
        WorldSource(answer="when")
