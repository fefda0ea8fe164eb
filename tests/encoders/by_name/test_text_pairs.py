"""CLIP and CLAP by name: from files, random with a warning, without a vocabulary, and the tiny ones."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from crossmodal.data import Preprocess
from crossmodal.encoders.by_name import audio_backbone, image_text, own, sound_text, text_pairs, visual_backbone
from crossmodal.encoders.by_name.clip_activation import clip_activation, warn_of_activation
from crossmodal.encoders.clip import CLIP_MEAN, ClipSize
from crossmodal.encoders.self_attention import QuickGELU
from crossmodal.tasks.task import Clips
from crossmodal.training.provenance import front_end

SMALL = ClipSize(32, 8, 16, 2, 2, 12, 16, 2)


@pytest.fixture
def small(monkeypatch):
    """A name that stands for a CLIP of small towers and the published vocabulary."""
    monkeypatch.setitem(text_pairs.IMAGE_TEXT, "clip_small", partial(text_pairs._clip, "clip_small", SMALL))
    monkeypatch.setitem(own.VISUAL_BUILDERS, "clip_small", partial(own.own_clip, "clip_small", SMALL))


def test_a_clip_of_transformers_comes_from_its_file(small, tmp_path):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        text_config={**sizes, "num_hidden_layers": 12, "eos_token_id": 49_407},
        projection_dim=12,
    )
    theirs = transformers.CLIPModel(config).eval()
    theirs.save_pretrained(tmp_path)
    frames, tokens = torch.randn(2, 3, 32, 32), torch.tensor([[49_406, 320, 49_407]])
    pair = image_text("clip_small", weights=tmp_path / "model.safetensors")
    sight = visual_backbone("clip_small", weights=tmp_path / "model.safetensors")
    with torch.no_grad():
        expected = theirs(input_ids=tokens, pixel_values=frames).logits_per_image
        torch.testing.assert_close(pair.model(frames, tokens), expected)
        stream = sight.encoder(frames)
        torch.testing.assert_close(pair.model.tower.projection(stream[:, 0]), pair.model.tower(frames))
    assert (sight.size, sight.width, sight.mean, pair.mean) == (32, 16, CLIP_MEAN, CLIP_MEAN)
    with pytest.raises(FileNotFoundError, match="clip_small was built without its tokenizer and cannot read 'a dog'"):
        pair.tokenizer(["a dog"])


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_a_clip_has_the_activation_that_it_was_trained_with(small, tmp_path, activation):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 64, "num_attention_heads": 2, "hidden_act": activation}
    vision = {**sizes, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8}
    text = {**sizes, "num_hidden_layers": 12, "eos_token_id": 49_407}
    theirs = transformers.CLIPModel(
        transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=12)
    ).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.mul_(3)  # so that both activations differ by more than rounding
    theirs.save_pretrained(tmp_path)
    frames, tokens = torch.randn(2, 3, 32, 32), torch.tensor([[49_406, 320, 49_407]])
    pair = image_text("clip_small", weights=tmp_path / "model.safetensors")
    sight = visual_backbone("clip_small", weights=tmp_path / "model.safetensors")
    with torch.no_grad():
        expected = theirs(input_ids=tokens, pixel_values=frames)
        torch.testing.assert_close(pair.model(frames, tokens), expected.logits_per_image, rtol=1e-3, atol=1e-3)
        seen = theirs.vision_model(frames).pooler_output
        torch.testing.assert_close(sight.encoder(frames)[:, 0], seen, rtol=1e-3, atol=1e-3)
    system = SimpleNamespace(inputs=Clips(Preprocess(32, 16_000)), modules=pair.model.modules)
    assert front_end(system).get("activation") == (None if activation == "quick_gelu" else "gelu")


CONFIGURATIONS = {
    "none": ({}, QuickGELU),
    "LAION's": ({"open_clip_config.json": '{"model_cfg": {"embed_dim": 512}}'}, nn.GELU),
    "OpenAI's there": ({"open_clip_config.json": '{"model_cfg": {"quick_gelu": true}}'}, QuickGELU),
    "a default left out": ({"config.json": '{"vision_config": {}, "text_config": {}}'}, QuickGELU),
    "of something else": ({"config.json": '{"model_type": "bert", "hidden_act": "gelu"}'}, QuickGELU),
}


@pytest.mark.parametrize("files", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_what_lies_beside_a_file_says_its_activation(files, tmp_path, caplog):
    written, expected = files
    (tmp_path / "open_clip.pt").touch()
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    assert clip_activation(tmp_path / "open_clip.pt") is expected
    assert clip_activation("clip_vit_b_32") is clip_activation(None) is QuickGELU
    warn_of_activation(tmp_path / "open_clip.pt", ["visual.transformer.resblocks.0.ln_1.weight"])
    assert ("is read as OpenAI's CLIP, whose MLPs have QuickGELU" in caplog.text) is (not written)
    caplog.clear()
    warn_of_activation(tmp_path / "open_clip.pt", ["visual.proj", "context_length"])
    warn_of_activation("clip_vit_b_32", ["visual.proj"])
    assert not caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ('{"vision_config": {"hidden_act": "relu"}}', "names relu between the layers"),
        ('{"vision_config": {"hidden_act": "gelu"}, "text_config": {}}', "names gelu, quick_gelu between the layers"),
    ],
)
def test_an_activation_that_no_clip_has_is_named(text, reason, tmp_path):
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=f"clip: .*{reason}"):
        clip_activation(tmp_path / "model.safetensors")


def test_random_ones_warn_and_unknown_names_are_told_the_nearest(small, caplog):
    first, second = (image_text("clip_small").model.tower.projection.weight for _ in range(2))
    assert torch.equal(first, second)
    assert "visual encoder clip_small has RANDOM weights" in caplog.text
    with pytest.raises(ValueError, match="no backbone 'clip_vit_b32'; nearest: 'clip_vit_b_32'"):
        image_text("clip_vit_b32")
    with pytest.raises(ValueError, match="no backbone 'clap'; nearest: 'tiny_clap'"):
        sound_text("clap")
    with pytest.raises(ValueError, match="no backbone 'clip_vit_b_3'; nearest: 'clip_vit_b_32'"):
        visual_backbone("clip_vit_b_3")


def test_the_front_end_of_clap_is_that_of_its_training():
    with torch.device("meta"):
        hearing = audio_backbone("clap_htsat")
    assert (hearing.rate, hearing.width) == (48_000, 768)
    assert hearing.sound(torch.zeros(1, 48_000)).shape == (1, 1001, 64)


def test_the_tiny_ones_take_the_input_of_the_tiny_encoders(caplog):
    sight, hearing = image_text("tiny_clip"), sound_text("tiny_clap")
    assert not caplog.text  # they come with weights
    texts = ["a photo of a red dots.", "blue rows"]
    with torch.no_grad():
        assert sight.model(torch.randn(3, 3, sight.size, sight.size), sight.tokenizer(texts)).shape == (3, 2)
        sound = hearing.sound(torch.randn(3, hearing.rate))
        assert hearing.model(sound, hearing.tokenizer(texts)).shape == (3, 2)
