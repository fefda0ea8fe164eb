"""The segmented world: masks of what sounds, in both settings."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data.world import World
from crossmodal.data.world.scene import Difficulty, draw_scene, sounding
from crossmodal.data.world.segmentation import FIRST, SegmentedWorld, draw_several


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), setting=st.sampled_from(["s4", "ms3"]))
def test_masks_are_those_of_the_objects_that_are_heard(seed, setting):
    world = SegmentedWorld("test", clips=1, seed=seed, setting=setting)
    item, truth = world[0], world.truth(0)
    assert item.masks.shape == (5, 64, 64)
    assert item.wave.shape == (5, 16_000)
    assert item.supervised.all()
    heard = sounding(truth.objects, truth.sounds)
    assert heard.sum(1).max() <= (1 if setting == "s4" else 2)
    for second in range(5):
        seen = [truth.masks[second, at] for at in heard[second].nonzero()[0]]
        expected = np.logical_or.reduce(seen) if seen else np.zeros((64, 64), dtype=bool)
        assert np.array_equal(item.masks[second].numpy(), expected)
        named = int(item.labels[second])
        assert (named < 6) == (len(seen) == 1)
        if len(seen) == 1:
            assert named == truth.objects.colour[heard[second].argmax()]


def test_s4_is_the_middle_of_the_plain_world():
    plain, ours = World("train", clips=2), SegmentedWorld("train", clips=2, setting="s4")
    for index in range(2):
        assert torch.equal(plain[index].frames[FIRST : FIRST + 5], ours[index].frames)
        assert torch.equal(plain[index].labels[FIRST : FIRST + 5], ours[index].labels)
        assert ours[index].supervised.tolist() == [True, False, False, False, False]
        assert not ours[index].masks[1:].any()
    assert SegmentedWorld("train", clips=2, setting="ms3")[0].supervised.all()


def test_several_sound_in_some_scenes_of_ms3():
    counts = {len(draw_several(np.random.default_rng(seed), Difficulty(3))[1].texture) for seed in range(20)}
    alone = {len(draw_scene(np.random.default_rng(seed), Difficulty(3))[1].texture) for seed in range(20)}
    assert max(counts) > max(alone)
    with pytest.raises(ValueError, match="setting='v2' must be one of 's4', 'ms3'"):
        SegmentedWorld(setting="v2")
