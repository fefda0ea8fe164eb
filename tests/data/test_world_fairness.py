"""The built-in world gives nothing away: neither sense alone knows the event. Statistics over many clips."""

import numpy as np
import pytest

from crossmodal.data.world import World

CLIPS = 1500


@pytest.fixture(scope="module")
def truths():
    world = World("val", clips=CLIPS, seed=11)
    return [world.truth(index) for index in range(CLIPS)]


def named(truth):
    """For every source: does the clip show what it names?"""
    return np.isin(truth.sounds.texture, truth.objects.texture)


def assert_alike(one, other):
    """Means of two samples, within four standard errors."""
    error = np.sqrt(np.var(one) / len(one) + np.var(other) / len(other))
    assert abs(np.mean(one) - np.mean(other)) < 4 * error


@pytest.mark.parametrize(
    "feature",
    [
        lambda sounds: sounds.loudness.max(axis=0),
        lambda sounds: (sounds.loudness > 0).sum(axis=0),
        lambda sounds: sounds.onset,
    ],
    ids=["loudness", "length", "onset"],
)
def test_a_sound_does_not_tell_whether_its_object_is_seen(truths, feature):
    values = np.concatenate([feature(truth.sounds) for truth in truths])
    shown = np.concatenate([named(truth) for truth in truths])
    assert_alike(values[shown], values[~shown])


def test_the_number_of_sounds_does_not_tell_the_number_of_objects(truths):
    sounds = np.array([len(truth.sounds.texture) for truth in truths])
    objects = np.array([truth.seen for truth in truths])
    assert_alike(sounds[objects == 3], sounds[objects == 4])


@pytest.mark.parametrize(
    "feature",
    [
        lambda truth: truth.objects.radius.mean(axis=0),
        lambda truth: np.ptp(truth.objects.radius, axis=0),
        lambda truth: truth.masks.sum(axis=(0, 2, 3)),
        lambda truth: (np.diff(truth.objects.texture, axis=0) != 0).any(axis=0),
        lambda truth: truth.objects.shape,
        lambda truth: truth.objects.motion,
        lambda truth: np.arange(truth.seen),
    ],
    ids=["size", "pulse", "area", "coat", "shape", "motion", "order"],
)
def test_an_object_does_not_show_whether_it_sounds(truths, feature):
    values = np.concatenate([feature(truth) for truth in truths]).astype(float)
    sounds = np.concatenate([truth.sounding.any(axis=0) for truth in truths])
    assert_alike(values[sounds], values[~sounds])


def test_size_follows_loudness_mildly(truths):
    for truth in truths[:100]:
        worn = truth.sounds.texture[:, None] == truth.objects.texture[[0, 5, 9]][:, None]
        source, slot = np.argwhere(worn.any(axis=0))[0]
        loudness, radius = truth.sounds.loudness[:, source], truth.objects.radius[:, slot]
        assert np.corrcoef(loudness, radius)[0, 1] > 0.99
        assert radius.max() / radius.min() < 1.15


def test_texture_and_colour_are_drawn_independently(truths):
    counts = np.zeros((8, 6))
    for truth in truths:
        np.add.at(counts, (truth.objects.texture[0], truth.objects.colour), 1)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 66.6  # 99.9 % point at 35 degrees of freedom


def test_the_majority_class_is_rare(truths):
    labels = np.concatenate([truth.labels for truth in truths])
    share = np.bincount(labels, minlength=7) / len(labels)
    assert 0.22 < share[6] < 0.32
    assert np.ptp(share[:6]) < 0.05


def test_background_has_all_three_reasons(truths):
    background = np.concatenate([truth.labels == 6 for truth in truths])
    silent = np.concatenate([~truth.audible.any(axis=1) for truth in truths])
    coat = np.concatenate(
        [(truth.audible & truth.visible.any(axis=0) & ~truth.visible).any(axis=1) for truth in truths]
    )
    for reason in (silent, background & coat, background & ~silent & ~coat):
        assert background[reason].all()
        assert reason.mean() > 0.03
