"""The complete models of audio-visual events: what they compute, what they share with their parts, what they refuse."""

from functools import partial

import pytest
import torch
from films import ALL_SOUND, film
from systems import tiny
from torch import nn

from crossmodal.adapters import guided_adapter, modulation_of
from crossmodal.data import Preprocess, read_clip
from crossmodal.data.world import COLOURS, World
from crossmodal.guidance import FrequencyGuidance, SpatialGuidance
from crossmodal.heads import MapPooling, MeanPooling, pool_tokens
from crossmodal.injection import Encoder
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish
from crossmodal.tasks.coupled_system import final_token_maps


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    built = tiny().eval()
    for parameter in built.coupled.couplers.parameters():
        if not parameter.any():
            nn.init.constant_(parameter, 0.2)  # the gates, as training opens them
    return built


@pytest.fixture(scope="module")
def clip():
    return World("test", clips=1)[0]


def batch(*clips):
    return torch.stack([clip.frames for clip in clips]), torch.stack([clip.wave for clip in clips])


def test_what_it_wants_is_what_the_world_gives(model, clip):
    assert model.classes == COLOURS[:6] == World("val").classes
    assert model.preprocess == Preprocess(64, 16_000, mean=model.preprocess.mean, std=model.preprocess.std)
    events = model.score(*batch(clip))
    assert events.event.shape == events.activation.shape == (1, 6)
    assert events.relevance.shape == events.gate.shape == (1, 10)


def test_features_are_what_the_heads_are_given(model, clip):
    features = model.features(clip)
    assert features.visual.shape == (1, 10, model.coupled.encoder("visual").sites[-1].width)
    assert features.audio.shape == (1, 10, model.coupled.encoder("audio").sites[-1].width)
    expected = model.head(model.temporal(*features))
    for name, found in zip(expected._fields, model.score(*batch(clip)), strict=True):
        torch.testing.assert_close(found, getattr(expected, name), rtol=0, atol=0)
    assert not features.visual.requires_grad


def test_a_film_of_any_kind_gives_features(model, tmp_path):
    file = film(tmp_path / "film.mp4", sound=ALL_SOUND, rate=22_050, layout="stereo", size=(96, 64))
    features = model.features(read_clip(file, model.preprocess))
    assert features.visual.shape[:2] == features.audio.shape[:2] == (1, 3)


@pytest.mark.parametrize("stream", ["visual", "audio"])
def test_streams_are_pooled_by_the_map_of_the_last_coupler(model, clip, stream):
    frames, wave = batch(clip)
    with torch.no_grad():
        coupled, features = model.run(frames, wave), model.pool(frames, wave)
    last = list(coupled.maps)[-1]
    guide = "audio" if stream == "visual" else "visual"
    spatial = coupled.maps[last][guide, stream]["spatial"]
    assert final_token_maps(coupled, stream)["spatial"] is spatial
    head = model.coupled.encoder("visual").head if stream == "visual" else nn.Identity()
    torch.testing.assert_close(getattr(features, stream)[0], pool_tokens(head(coupled.streams[stream]), spatial))


def test_without_maps_streams_are_pooled_by_their_mean(clip):
    model = tiny(coupling=lavish).eval()
    frames, wave = batch(clip)
    with torch.no_grad():
        coupled, features = model.run(frames, wave), model.pool(frames, wave)
    assert final_token_maps(coupled, "visual") == final_token_maps(coupled, "audio") == {}
    torch.testing.assert_close(features.audio[0], coupled.streams["audio"].mean(1))


def test_a_map_of_one_direction_pools_its_stream_alone(clip):
    model = tiny(coupling=partial(dg_sct, edges=(("audio", "visual"),))).eval()
    with torch.no_grad():
        coupled = model.run(*batch(clip))
    assert final_token_maps(coupled, "audio") == {}
    assert final_token_maps(coupled, "visual")["spatial"].shape == (10, coupled.streams["visual"].shape[1], 1)


@pytest.mark.parametrize("name", ["spatial", "frequency", "mine"])
def test_the_head_pools_by_the_map_over_tokens_whatever_its_name(clip, name):
    """A frequency map, or one of a block of one's own, is not passed over in silence."""

    def modulated(stream):
        return modulation_of(stream.width, {name: (SpatialGuidance, 0.05)}, base=1.0)

    model = tiny(coupling=partial(dg_sct, adapter=partial(guided_adapter, modulation=modulated))).eval()
    frames, wave = batch(clip)
    with torch.no_grad():
        coupled, pooled = model.run(frames, wave), model.pool(frames, wave)
    for stream in ("visual", "audio"):
        maps = coupled.maps["stages1_1_mlp"]["audio" if stream == "visual" else "visual", stream]
        assert final_token_maps(coupled, stream)[name] is maps[name]
        read = coupled.streams[stream]
        read = model.coupled.encoder("visual").head(read) if stream == "visual" else read
        assert torch.equal(getattr(pooled, stream)[0], pool_tokens(read, maps[name]))


def test_how_streams_are_pooled_is_chosen_and_said():
    """What is left out of the adapters never changes the head in silence."""
    by_map = [f"{name} pooled by map 'spatial' of stages1_1_mlp" for name in ("visual", "audio")]
    by_mean = ["visual pooled by mean", "audio pooled by mean"]
    assert tiny().remarks() == by_map
    assert tiny(pool=MeanPooling).remarks() == by_mean
    assert tiny(coupling=partial(dg_sct, spatial=None)).remarks() == by_mean
    assert tiny(coupling=partial(dg_sct, spatial=None, frequency=FrequencyGuidance)).remarks() == [
        "visual pooled by mean",
        "audio pooled by map 'frequency' of stages1_1_mlp",
    ]
    assert tiny(coupling=partial(dg_sct, edges=(("audio", "visual"),))).remarks() == [by_map[0], by_mean[1]]
    with pytest.raises(ValueError, match=r"MapPooling: map='spatial', but the adapters' maps over tokens are none"):
        tiny(pool=partial(MapPooling, map="spatial"), coupling=partial(dg_sct, spatial=None))


def test_a_pooling_of_ones_own_is_trained(clip):
    class Learned(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.score = nn.Linear(channels, 1)

        def forward(self, stream, maps):
            assert list(maps) == ["spatial"]
            return (self.score(stream).softmax(1) * stream).sum(1)

    model = tiny(pool=Learned)
    assert model.remarks() == ["visual pooled by Learned", "audio pooled by Learned"]
    model.score(*batch(clip)).relevance.sum().backward()
    assert all(pooling.score.weight.grad is not None for pooling in model.pooling.values())


@pytest.mark.parametrize("recipe", [dg_sct, dg_sct_released, lavish])
def test_untrained_it_sees_and_hears_what_the_frozen_encoders_do(recipe, clip):
    model = tiny(coupling=recipe).eval()
    with torch.no_grad():
        streams = model.run(*batch(clip)).streams
        alone = {"visual": clip.frames, "audio": model.sound(clip.wave)}
        for name, x in alone.items():
            encoder = model.coupled.encoder(name)
            assert isinstance(encoder, Encoder)
            assert torch.equal(encoder.head(streams[name]), encoder(x))


def test_clips_of_a_batch_do_not_see_each_other(model):
    world = World("test", clips=3)
    with torch.no_grad():
        together = model.score(*batch(*(world[index] for index in range(3))))
        for index in range(3):
            for found, expected in zip(together, model.score(*batch(world[index])), strict=True):
                torch.testing.assert_close(found[index : index + 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("segments", [1, 3, 9])
def test_one_shorter_clip_is_welcome(model, clip, segments):
    events = model.score(clip.frames[None, :segments], clip.wave[None, :segments])
    assert events.relevance.shape == (1, segments)


@pytest.mark.parametrize(
    ("frames", "wave", "words"),
    [
        ((2, 5, 3, 64, 64), (2, 5, 16_000), r"frames holds 2 clips of 5 segments, .* segments=\[10\]: pass clips of"),
        ((1, 0, 3, 64, 64), (1, 0, 16_000), "frames holds 1 clips of 0 segments"),
        ((1, 10, 3, 64, 64), (1, 10, 8_000), r"wave has 8000 samples a segment, but preprocess\.rate=16000: resample"),
        ((1, 10, 3, 64, 64), (1, 10, 32_000), r"wave has 32000 samples a segment, but preprocess\.rate=16000"),
        ((1, 10, 3, 48, 64), (1, 10, 16_000), r"picture is \(3, 48, 64\), .* built for \(3, 64, 64\) .* resize"),
        ((1, 10, 3, 64, 64), (1, 9, 16_000), r"(?s)AudioVisualEvents.*'wave'.*f32\[1,9,16000\].*segment=10"),
        ((1, 10, 3, 64, 64), (2, 10, 16_000), r"(?s)AudioVisualEvents.*'wave'.*f32\[2,10,16000\].*clip=1"),
        ((10, 3, 64, 64), (10, 16_000), r"(?s)AudioVisualEvents.*'frames'.*f32\[10,3,64,64\]"),
        ((1, 10, 1, 64, 64), (1, 10, 16_000), r"(?s)AudioVisualEvents.*'frames'.*f32\[1,10,1,64,64\]"),
    ],
)
def test_clips_of_a_wrong_shape_are_named_with_both_values(model, frames, wave, words):
    with pytest.raises((ValueError, TypeError), match=words):
        model.score(torch.zeros(frames), torch.zeros(wave))


@pytest.mark.parametrize(
    ("frames", "wave", "words"),
    [
        (
            lambda t: t,
            lambda t: t.double(),
            r"frames is torch.float32 but wave is torch.float64: bring",
        ),
        (lambda t: t, lambda t: t.to("meta"), "frames is cpu but wave is meta: bring them to one device"),
        (lambda t: t.byte(), lambda t: t, r"(?s)AudioVisualEvents.*'frames'.*u8\[1,10,3,64,64\]"),
        (lambda t: t.half(), lambda t: t.half(), "frames is torch.float16 but the block's weights are torch.float32"),
    ],
)
def test_clips_of_a_wrong_dtype_or_device_are_named_with_both_values(model, frames, wave, words):
    with pytest.raises(TypeError, match=words):
        model.score(frames(torch.zeros(1, 10, 3, 64, 64)), wave(torch.zeros(1, 10, 16_000)))
