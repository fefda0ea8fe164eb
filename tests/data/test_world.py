"""The built-in world: same index, same clip; labels and masks are what frames and sounds show."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from crossmodal.data.clip import Preprocess
from crossmodal.data.world import World
from crossmodal.data.world.picture import paint
from crossmodal.data.world.scene import draw_scene
from crossmodal.data.world.sound import mix
from crossmodal.data.world.truth import Truth


@st.composite
def truths(draw):
    objects = draw(st.integers(3, 6))
    world = World(
        draw(st.sampled_from(["train", "val", "test"])),
        objects=objects,
        textures=draw(st.integers(objects + 2, 8)),
        colours=draw(st.integers(objects, 8)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    index = draw(st.integers(0, 999))
    return world, index, world.truth(index)


def scene(index=0):
    world, rng = World(), np.random.default_rng(index)
    return rng, *draw_scene(rng, world.difficulty), world.difficulty


def truth_of(objects, sounds, difficulty):
    return Truth(objects, sounds, paint(np.random.default_rng(0), objects, 0.0)[1], difficulty)


def same(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**6))
def test_a_clip_is_a_function_of_seed_and_index(seed, index):
    one, other = World(clips=10**6 + 1, seed=seed), World(clips=10**6 + 1, seed=seed)
    other[0]
    assert same(one[index], other[index])


def test_splits_seeds_and_indices_are_different_clips():
    worlds = [World(split, clips=5, seed=seed) for split in ("train", "val", "test") for seed in (0, 1)]
    waves = {world[index].wave.numpy().tobytes() for world in worlds for index in range(5)}
    assert len(waves) == 30


def test_worker_processes_give_the_same_clips():
    world = World("val", clips=6, seed=3)
    loaded = DataLoader(world, batch_size=None, num_workers=2)
    assert all(same(world[index], clip) for index, clip in enumerate(loaded))


def test_a_clip_is_ready_for_a_model():
    clip = World(preprocess=Preprocess(size=32, rate=32_000))[0]
    assert clip.frames.shape == (10, 3, 32, 32)
    assert clip.wave.shape == (10, 32_000)
    assert clip.wave.abs().max() <= 1
    assert clip.labels.dtype == torch.int64


@given(truths())
def test_labels_are_the_colour_of_what_is_heard_and_seen(case):
    """The oracle asks object by object and source by source."""
    world, index, truth = case
    for second, label in enumerate(world[index].labels.tolist()):
        named = {
            int(colour)
            for colour, texture in zip(truth.objects.colour, truth.objects.texture[second], strict=True)
            for source, loudness in zip(truth.sounds.texture, truth.sounds.loudness[second], strict=True)
            if loudness > 0 and source == texture
        }
        assert named == ({label} if label < len(world.classes) else set())


@given(truths())
def test_every_frame_shows_at_least_three_objects_with_texture_and_colour_of_their_own(case):
    _, _, truth = case
    assert truth.seen >= 3
    assert truth.masks.sum(axis=(2, 3)).min() >= 30
    assert (truth.visible.sum(axis=1) == truth.seen).all()
    assert (truth.coloured.sum(axis=1) == truth.seen).all()


@given(truths())
def test_a_clip_has_one_event_class_and_some_background_or_event(case):
    world, _index, truth = case
    classes = set(truth.labels.tolist()) - {len(world.classes)}
    assert len(classes) == 1
    assert set(truth.labels[~truth.audible.any(axis=1)].tolist()) <= {len(world.classes)}


@given(truths())
def test_masks_are_where_the_pixels_of_an_object_are(case):
    """Without clutter the ground is grey: what has a hue is an object, and each has the hue of its colour."""
    _world, index, truth = case
    truth = truth._replace(objects=truth.objects._replace(colour=np.arange(truth.seen) % 3))
    images, masks = paint(np.random.default_rng(index), truth.objects, 0.0)
    hued = np.ptp(images.astype(int), axis=1) > 40
    assert (masks.sum(axis=1) <= 1).all()
    assert not (hued & ~grown(masks.any(axis=1))).any()
    for index, primary in enumerate(truth.objects.colour):
        strongest = images.argmax(axis=1) == primary
        assert strongest[masks[:, index]].mean() > 0.95


def grown(mask):
    """A mask and the pixels around it, where an edge fades."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    return np.max([padded[:, row : row + 64, column : column + 64] for row in range(3) for column in range(3)], axis=0)


@given(truths())
def test_the_event_mask_is_the_sounding_object(case):
    world, _, truth = case
    event = truth.labels < len(world.classes)
    assert (truth.event_mask.any(axis=(1, 2)) == event).all()
    for second in np.flatnonzero(event):
        slot = truth.objects.colour.tolist().index(truth.labels[second])
        assert (truth.event_mask[second] == truth.masks[second, slot]).all()


@given(st.integers(0, 10**6))
def test_the_same_frames_with_another_sound_are_another_event(seed):
    """The sound of each object in turn: the frames do not change, the label does."""
    _rng, objects, sounds, difficulty = scene(seed)
    silent = sounds._replace(loudness=np.ones((10, 1), np.float32), onset=np.zeros(1, np.float32))
    labels = [
        truth_of(objects, silent._replace(texture=objects.texture[0, [slot]]), difficulty).labels[0]
        for slot in range(3)
    ]
    assert labels == objects.colour[:3].tolist()


@given(st.integers(0, 10**6))
def test_the_same_sound_with_another_frame_is_another_event(seed):
    """Colours swapped among the objects: the sound does not change, the label does."""
    _rng, objects, sounds, difficulty = scene(seed)
    before = truth_of(objects, sounds, difficulty).labels
    after = truth_of(objects._replace(colour=np.roll(objects.colour, 1)), sounds, difficulty).labels
    event = before < difficulty.colours
    assert event.any()
    assert (before != after)[event].all()
    assert (before == after)[~event].all()


@given(st.integers(0, 10**6))
def test_a_source_is_heard_exactly_where_it_is_loud(seed):
    _rng, _, sounds, _ = scene(seed)
    for source in range(len(sounds.texture)):
        alone = sounds._replace(
            texture=sounds.texture[[source]], loudness=sounds.loudness[:, [source]], onset=sounds.onset[[source]]
        )
        power = np.sqrt((mix(np.random.default_rng(0), alone, 16_000, 0.0) ** 2).mean(axis=1))
        loud = alone.loudness[:, 0] > 0
        assert power[loud].min() > 3 * power[~loud].max(initial=0.003)
        assert loud.argmax() == int(sounds.onset[source])


def test_sources_come_in_order_of_onset():
    tracks = [scene(seed)[2] for seed in range(50)]
    assert all((np.diff(sounds.onset) >= 0).all() for sounds in tracks)
    assert World().truth(0).onset_order == tuple(World().truth(0).sounds.texture)


@pytest.mark.parametrize(
    ("difficulty", "message"),
    [
        ({"split": "dev"}, r"World: split='dev' must be one of 'train', 'val', 'test'"),
        ({"clips": 0}, r"World: clips=0 must be at least 1"),
        ({"seed": -1}, r"World: seed=-1 must lie in \[0, 2³²\)"),
        ({"objects": 2}, r"World: objects=2 must lie in 3…6: the event needs three"),
        ({"objects": 6, "colours": 5}, r"World: objects=6 must lie in 3…5"),
        ({"textures": 5}, r"World: textures=5 must be at least objects \+ 2 = 6: .*fewer objects or more textures"),
        ({"textures": 9}, r"World: textures=9 must lie in 1…8"),
        ({"colours": 9}, r"World: colours=9 must lie in 1…8"),
        ({"clutter": 1.5}, r"World: clutter=1.5 must lie in \[0, 1\]"),
        ({"preprocess": Preprocess(rate=8000)}, r"World: preprocess.rate=8000 must be at least 16000"),
    ],
)
def test_impossible_worlds_are_refused_in_words(difficulty, message):
    with pytest.raises(ValueError, match=message):
        World(**difficulty)


def test_a_clip_outside_the_split_is_named():
    with pytest.raises(IndexError, match="clip 5 does not exist: this split has 5"):
        World(clips=5)[5]
    assert same(World(clips=5)[-1], World(clips=5)[4])
