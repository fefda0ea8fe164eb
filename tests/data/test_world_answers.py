"""Worlds whose answer lies in a channel, a band or a second: the cue chooses it, and neither sense alone tells it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.source import WorldSource
from crossmodal.data.world.answers import ANSWERS, ASKS
from crossmodal.data.world.scene import Difficulty
from crossmodal.data.world.sound import TONES

CHOSEN = [name for name in ANSWERS if name not in ("place", "pair")]
draws = {"seed": st.integers(0, 2**32 - 1)}


def drawn(name, seed):
    """Objects and sounds of a clip, and the answers of its seconds, of those or of others."""
    rule = ANSWERS[name]
    objects, sounds = rule.draw(np.random.default_rng(seed), Difficulty())

    def answers(objects=objects, sounds=sounds):
        labels = rule.labels(objects, sounds, Difficulty())
        assert labels.shape == (10,)
        assert 0 <= labels.min() <= labels.max() <= len(rule.classes(Difficulty()))
        return labels

    return objects, sounds, answers


@given(**draws)
def test_a_second_has_the_event_where_the_bell_rang_in_the_one_before(seed):
    objects, sounds, answers = drawn("second", seed)
    found = answers() != 6
    assert found.tolist() == [False, *(sounds.loudness[:-1, 0] > 0)]
    assert set(answers()[found]) <= {objects.colour[0]}
    assert (objects.radius > 0).all()  # what is seen is the same in every second


@given(**draws)
def test_in_a_channel_the_sound_asks_for_the_colour_or_the_texture(seed):
    objects, sounds, answers = drawn("channel", seed)
    asked = [set(answers(sounds=sounds._replace(texture=np.array([ask])))) for ask in ASKS]
    assert asked == [{objects.colour[0]}, {objects.texture[0, 0]}]


@given(**draws)
def test_in_a_band_the_other_colour_makes_the_other_seconds_events(seed):
    objects, sounds, answers = drawn("band", seed)
    of_band = [answers(objects._replace(colour=np.array([band]))) for band in (0, 1)]
    assert (of_band[0] == 0).tolist() == (of_band[1] == 2).tolist()
    assert (of_band[1] == 1).tolist() == (of_band[0] == 2).tolist()
    heard = sounds.loudness > 0
    for band in TONES:  # in every second a band has its steady or its pulsed tone
        assert (heard[:, np.isin(sounds.texture, band)].sum(axis=1) == 1).all()


@pytest.mark.parametrize("name", CHOSEN)
def test_neither_modality_alone_tells_the_answer_of_a_second(name):
    """Given what one modality shows in a second, no answer has three quarters of the clips."""
    clips = [drawn(name, seed) for seed in range(400)]
    seen = lambda objects, _: objects.colour[0]  # noqa: E731
    heard = lambda _, sounds: tuple(np.append(sounds.texture, sounds.loudness[5] > 0))  # noqa: E731
    for part in (seen, heard):
        groups = {}
        for objects, sounds, answers in clips:
            groups.setdefault(part(objects, sounds), []).append(answers()[5])
        assert all(max(np.bincount(labels)) < 0.75 * len(labels) for labels in groups.values() if len(labels) > 40)


def test_a_source_says_where_its_answer_lies():
    assert "the answer in a second" in WorldSource(answer="second").describe()
    with pytest.raises(
        ValueError, match=r"World: answer='when' must be one of 'place', 'pair', 'channel', 'band', 'second'\."
    ):
        WorldSource(answer="when")
