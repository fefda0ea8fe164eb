"""Other input sizes, clip lengths, numbers of segments and a third modality: nothing was learned for one grid."""

from functools import partial

import pytest
import torch
from third_party import convnext, vit
from torch import nn
from torchvision.models import VisionTransformer

from crossmodal.adapters import Bottleneck, guided_adapter
from crossmodal.alignment import pooled_alignment, resampled_alignment
from crossmodal.guidance import ClipGuidance
from crossmodal.injection import (
    Encoder,
    Injected,
    Lockstep,
    also_guided_by,
    couplers_for,
    paired_by_depth,
    sections_of,
    sites,
)
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.site import Site, folded_axes, vector_axes

small = partial(Bottleneck, reduction=2)
SENTENCE = Site("text", 6, vector_axes())


def moved(module):
    """As training might leave it: no gate at zero."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return module


def picture_encoder(size):
    pictures = torch.randn(2, 3, size, size)
    return sections_of(VisionTransformer(size, 8, 2, 2, 16, 32).eval(), "encoder.layers.*", pictures)


def sound_encoder(bands):
    """A transformer over square spectrograms of three channels."""
    sounds = torch.randn(2, 3, bands, bands)
    axes = partial(folded_axes, chunks=1)
    return sections_of(VisionTransformer(bands, 4, 2, 2, 24, 32).eval(), "encoder.layers.*", sounds, axes=axes)


@pytest.mark.parametrize("align", [pooled_alignment, resampled_alignment])
def test_dg_sct_on_cut_models_runs_at_any_size_and_its_adapters_move_between_sizes(align):
    torch.manual_seed(0)
    models = [
        dg_sct(picture_encoder(size), sound_encoder(bands), align=align, bottleneck=small)
        for size, bands in ((16, 8), (32, 16))
    ]
    moved(models[0].couplers)
    models[1].couplers.load_state_dict(models[0].couplers.state_dict())
    for model, size, bands in zip(models, (16, 32), (8, 16), strict=True):
        for frames in (1, 3, 10, 20):  # a shorter clip, a whole one, two
            inputs = {"visual": torch.randn(frames, 3, size, size), "audio": torch.randn(frames, 3, bands, bands)}
            coupled = model(inputs)
            assert coupled.streams["visual"].shape == (frames, (size // 8) ** 2 + 1, 16)
            assert all(stream.isfinite().all() for stream in coupled.streams.values())
            spatial = coupled.maps["encoderlayers_encoder_layer_0"]["audio", "visual"]["spatial"]
            assert spatial.shape == (frames, (size // 8) ** 2 + 1, 1)


@pytest.mark.parametrize("segments", [2, 5])
def test_any_number_of_segments_makes_a_clip(segments):
    torch.manual_seed(0)
    temporal = partial(ClipGuidance, segments=segments)
    model = dg_sct(
        picture_encoder(16), sound_encoder(8), align=pooled_alignment, bottleneck=small, temporal=temporal
    ).eval()
    moved(model.couplers)
    inputs = {"visual": torch.randn(2 * segments, 3, 16, 16), "audio": torch.randn(2 * segments, 3, 8, 8)}
    whole = model(inputs).streams
    for name, stream in model({name: given[:segments] for name, given in inputs.items()}).streams.items():
        torch.testing.assert_close(stream, whole[name][:segments])


@pytest.mark.parametrize("align", [pooled_alignment, resampled_alignment])
def test_a_sentence_guides_pictures_of_any_size(align):
    """Adapters built for one size do at another what those built there with the same weights do."""
    torch.manual_seed(0)
    model = convnext().eval()
    factory = partial(guided_adapter, align=align, bottleneck=small)
    sizes, sentence = [(32, 64), (64, 48)], torch.randn(2, 1, 6)
    guided = [
        Injected(
            model,
            {"features.1.*": factory, "features.3.*": factory},
            guide=SENTENCE,
            sites=sites(model, torch.zeros(2, 3, *size)),
        )
        for size in sizes
    ]
    moved(guided[0].adapters)
    guided[1].adapters.load_state_dict(guided[0].adapters.state_dict())
    pictures = torch.randn(2, 3, *sizes[1])
    one, other = (each(pictures, guide=sentence) for each in guided)
    torch.testing.assert_close(one, other)
    assert not torch.equal(one, model(pictures))


def test_a_guide_of_any_length_where_it_is_pooled():
    torch.manual_seed(0)
    model, pictures = vit().eval(), torch.randn(2, 3, 32, 32)
    factory = partial(guided_adapter, align=pooled_alignment, bottleneck=small)
    guided = Injected(model, {"encoder.layers.*": factory}, guide=SENTENCE, sites=sites(model, pictures))
    moved(guided.adapters)
    words = torch.randn(2, 7, 6)
    mean = words.mean(1, keepdim=True)
    torch.testing.assert_close(guided(pictures, guide=words), guided(pictures, guide=mean))


def sentence_encoder():
    """A vector a frame, as it is: one token."""
    return Encoder(nn.Unflatten(1, (1, 6)), {}, nn.Identity(), [Site("stem", 6, vector_axes(), part="stem")])


@pytest.mark.parametrize("align", [pooled_alignment, resampled_alignment])
def test_a_sentence_guides_sound_and_picture_in_lockstep_and_may_be_missing(align):
    torch.manual_seed(0)
    encoders = {"visual": picture_encoder(16), "audio": sound_encoder(8), "text": sentence_encoder()}
    of = {name: encoder.sites for name, encoder in encoders.items()}
    steps = also_guided_by(paired_by_depth, "text")(of)
    factory = partial(guided_adapter, align=align, bottleneck=small)
    model = moved(Lockstep(encoders, steps=steps, couplers=couplers_for(steps, of, factory))).eval()
    inputs = {"visual": torch.randn(3, 3, 16, 16), "audio": torch.randn(3, 3, 8, 8), "text": torch.randn(3, 6)}
    coupled = model(inputs)
    edges = {edge for by_edge in coupled.maps.values() for edge in by_edge}
    assert edges == {("audio", "visual"), ("visual", "audio"), ("text", "visual"), ("text", "audio")}
    assert torch.equal(coupled.streams["text"][:, 0], inputs["text"])
    said = torch.tensor([True, False, True])
    masked, silent = model(inputs, present={"text": said}), model(inputs | {"text": None})
    for name in ("visual", "audio"):
        assert not torch.allclose(coupled.streams[name], silent.streams[name])
        expected = torch.where(said[:, None, None], coupled.streams[name], silent.streams[name])
        torch.testing.assert_close(masked.streams[name], expected, rtol=1e-4, atol=1e-5)


def test_a_guide_that_runs_sections_is_refused():
    with pytest.raises(ValueError, match="also_guided_by: audio has 2 sections; a guide here has a stem alone"):
        also_guided_by(paired_by_depth, "audio")({"visual": picture_encoder(16).sites, "audio": sound_encoder(8).sites})
