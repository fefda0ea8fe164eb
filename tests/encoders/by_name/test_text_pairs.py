"""CLIP and CLAP by name: from files, random with a warning, without a vocabulary, and the tiny ones."""

from functools import partial

import pytest
import torch

from crossmodal.encoders.by_name import audio_backbone, image_text, own, sound_text, text_pairs, visual_backbone
from crossmodal.encoders.clip import CLIP_MEAN, ClipSize

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
