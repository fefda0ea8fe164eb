"""Clips without sound, or without picture: the models of the tasks take them, alone and in a batch with others."""

import pytest
import torch
from systems import tiny, tiny_classes
from torch import nn

from crossmodal.data.world import World
from crossmodal.heads import event_loss
from crossmodal.injection import record_maps


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    built = tiny().eval()
    for parameter in built.coupled.couplers.parameters():
        if not parameter.any():
            nn.init.constant_(parameter, 0.2)  # the gates, as training opens them
    return built


@pytest.fixture(scope="module")
def batch():
    clips = [World("test", clips=3)[index] for index in range(3)]
    return torch.stack([clip.frames for clip in clips]), torch.stack([clip.wave for clip in clips])


def test_without_sound_it_sees_what_the_frozen_encoder_does_bit_for_bit(model, batch):
    frames, _ = batch
    with torch.no_grad():
        features = model.pool(frames, None)
        seen = model.coupled.encoder("visual")(frames.flatten(0, 1)).mean(1)
        assert torch.equal(features.visual, seen.unflatten(0, (3, 10)))
        assert features.audio.shape == (3, 10, model.coupled.encoder("audio").sites[-1].width)
        assert not features.audio.any()
        for found, expected in zip(model.score(frames), model.head(model.temporal(*features)), strict=True):
            assert torch.equal(found, expected)


def test_without_pictures_it_hears_what_the_frozen_encoder_does_bit_for_bit(model, batch):
    _, wave = batch
    with torch.no_grad():
        features = model.pool(None, wave)
        encoder, stream = model.coupled.encoder("audio"), model.run(None, wave).streams["audio"]
        assert torch.equal(encoder.head(stream), encoder(model.sound(wave.flatten(0, 1))))
        assert torch.equal(features.audio, stream.mean(1).unflatten(0, (3, 10)))
        assert not features.visual.any()
        assert model.score(None, wave).event.isfinite().all()


def test_recorded_maps_are_those_of_every_second_of_the_batch(model, batch):
    frames, wave = batch
    has = torch.tensor([False, True, True])
    with torch.no_grad():
        with record_maps(model) as maps:
            model.pool(frames, wave, present={"audio": has})
        with record_maps(model) as alone:
            model.pool(frames[has], wave[has])
    assert maps.keys() == alone.keys()
    for name, values in maps.items():
        found = values.unflatten(0, (3, 10))
        assert not found[0].any()
        torch.testing.assert_close(found[has], alone[name].unflatten(0, (2, 10)))


@pytest.mark.parametrize("build", [tiny, tiny_classes])
def test_in_a_batch_every_clip_is_what_it_is_alone_with_what_it_has(build, batch):
    torch.manual_seed(0)
    model, (frames, wave) = build().eval(), batch
    for parameter in model.coupled.couplers.parameters():
        if not parameter.any():
            nn.init.constant_(parameter, 0.2)
    has_sound, has_picture = torch.tensor([True, False, True]), torch.tensor([True, True, False])
    broken = wave.clone(), frames.clone()
    broken[0][1], broken[1][2] = torch.nan, torch.nan
    with torch.no_grad():
        together = model.score(broken[1], broken[0], present={"audio": has_sound, "visual": has_picture})
        alone = [model.score(frames[:1], wave[:1]), model.score(frames[1:2]), model.score(None, wave[2:])]
    named = [said if isinstance(said, tuple) else (said,) for said in (together, *alone)]
    for found, *expected in zip(*named, strict=True):
        torch.testing.assert_close(found, torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_what_is_missing_sends_no_gradient(model, batch):
    frames, wave = batch
    wave = wave.index_fill(0, torch.tensor([1]), torch.nan).requires_grad_()
    events = model.score(frames, wave, present={"audio": torch.tensor([True, False, True])})
    event_loss(events, torch.zeros(3, 10, dtype=torch.int64)).backward()
    assert not wave.grad[1].any()
    assert all(wave.grad[clip].any() and wave.grad[clip].isfinite().all() for clip in (0, 2))
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)
    model.zero_grad()


def test_what_contradicts_itself_is_named(model, batch):
    frames, wave = batch
    with pytest.raises(ValueError, match="AudioVisualEvents: frames and wave are both None"):
        model.score(None, None)
    with pytest.raises(ValueError, match=r"AudioVisualEvents: present\['audio'\] is true 1 times, but audio is None"):
        model.score(frames, present={"audio": torch.tensor([True, False, False])})
    with pytest.raises(KeyError, match="AudioVisualEvents: present: modality 'sound' does not exist"):
        model.score(frames, wave, present={"sound": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(TypeError, match=r"(?s)AudioVisualEvents\.score.*'present'"):
        model.score(frames, wave, present={"audio": torch.ones(2, dtype=torch.bool)})
