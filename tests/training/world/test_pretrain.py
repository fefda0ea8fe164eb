"""The shipped tiny encoders know what they are said to know, and the command that made them can be interrupted."""

import json

import pytest
import torch
from safetensors import safe_open

from crossmodal.data.world import World
from crossmodal.encoders.by_name.tiny import AUDIO, VISUAL, tiny_audio, tiny_visual
from crossmodal.training.world import pretrain as pretrain_world
from crossmodal.training.world.probes import (
    AttendingProbe,
    PooledProbe,
    binding,
    features_of_seconds,
    fit_probe,
    labels,
    mlp,
    unimodal,
)
from crossmodal.training.world.unimodal_labels import IGNORED, make_batch


@pytest.fixture(scope="module")
def taught():
    """Both probed_encoders with the shipped weights, probes included."""
    both = pretrain_world.probed_encoders(World()).eval()
    for name, path in (("visual", VISUAL), ("audio", AUDIO)):
        with safe_open(path, framework="pt") as file:
            both[name].load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    return both


def claimed():
    with safe_open(VISUAL, framework="pt") as file:
        return file.metadata()


def test_together_they_are_small():
    encoders = tiny_visual(), tiny_audio()
    assert sum(parameter.numel() for encoder in encoders for parameter in encoder.parameters()) == 864_794
    assert VISUAL.stat().st_size + AUDIO.stat().st_size <= 4e6


def test_the_shipped_encoders_are_the_pupils_without_their_probes(taught):
    for encoder, name in ((tiny_visual(), "visual"), (tiny_audio(), "audio")):
        weights = taught[name].encoder.state_dict()
        assert all(torch.equal(value, weights[key]) for key, value in encoder.state_dict().items())


def test_the_weights_say_how_they_were_made():
    made = claimed()
    assert made["command"].startswith("python -m recipes.pretrain_world")  # as it was called when they were made
    assert int(made["seed"]) >= 0
    assert set(labels(World())) < set(json.loads(made["probes"]))


def test_unimodal_probes_reach_what_is_claimed_on_clips_never_seen(taught):
    probes = json.loads(claimed()["probes"])
    measured = unimodal(taught["visual"], taught["audio"], World("test", clips=60, seed=99))
    assert all(measured[name] > probes[name] - 0.03 for name in measured)
    assert min(measured.values()) > 0.93


@pytest.mark.slow
def test_a_bag_does_not_know_who_has_what_but_a_look_with_the_sound_does(taught):
    """A short fit; the full one is in the weights' metadata and in the docs."""
    train, test = (
        features_of_seconds(*taught.values(), World(name, clips=clips, seed=5))
        for name, clips in (("train", 300), ("val", 60))
    )
    torch.manual_seed(0)
    visual, audio = train.tokens.shape[-1], train.sound.shape[-1]
    bag = fit_probe(PooledProbe(mlp(visual + audio, 7)), train, test, epochs=10)
    look = fit_probe(AttendingProbe(visual, audio, 7), train, test, epochs=20)
    assert bag < 0.6
    assert look > bag + 0.1


@pytest.mark.slow
def test_the_binding_probes_reach_what_is_claimed(taught):
    probes = json.loads(claimed()["probes"])
    torch.manual_seed(0)
    measured = binding(*taught.values(), World("train", clips=2000, seed=8), World("test", clips=400, seed=99))
    assert all(abs(measured[name] - probes[name]) < 0.05 for name in measured)


def test_a_lesson_names_the_texture_and_colour_of_each_place():
    """The oracle counts the pixels of one token at a time."""
    world = World(clips=3)
    taken = make_batch(world, range(3), grids=(8,), every=4)
    row = 0
    for clip in range(3):
        truth = world.truth(clip)
        for second in range(clip % 4, 10, 4):
            for token in range(64):
                top, left = token // 8 * 8, token % 8 * 8
                share = truth.masks[second, :, top : top + 8, left : left + 8].mean(axis=(1, 2))
                owner = share.argmax()
                expected = [truth.objects.texture[second, owner], truth.objects.colour[owner]]
                expected = expected if share.max() > 0.4 else [IGNORED, IGNORED]
                assert taken.places[8][:, row, token].tolist() == expected
            row += 1
    assert row == len(taken.frames)


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain_world, "SAVE_EVERY", 2)
    whole = pretrain_world.pretrain(4, 1, tmp_path / "whole", clips=2)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        original, calls = pretrain_world.make_batch, iter(range(9))
        patch.setattr(pretrain_world, "make_batch", lambda *a, **k: original(*a, **k) if next(calls) < 3 else killed())
        with pytest.raises(KeyboardInterrupt):
            pretrain_world.pretrain(4, 1, tmp_path / "cut", clips=2)
    resumed = pretrain_world.pretrain(4, 1, tmp_path / "cut", clips=2)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_the_command_writes_weights_that_load(tmp_path, capsys):
    pretrain_world.main(["--steps", "2", "--seed", "3", "--out", str(tmp_path), "--probe-clips", "30"])
    tiny_visual(weights=tmp_path / VISUAL.name)
    tiny_audio(weights=tmp_path / AUDIO.name)
    assert "looking with the sound" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [AUDIO.name, VISUAL.name]


def test_missing_weights_are_named_with_the_command_that_makes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights at .*gone.*python -m crossmodal.training.world.pretrain"):
        tiny_audio(weights=tmp_path / "gone.safetensors")
