"""CLIP and CLAP against transformers, by the released layouts of names."""

import pytest
import torch
from released_layouts import htsat_of, randomised
from torch import nn

from crossmodal.checkpoints import (
    import_clap,
    import_clap_text,
    import_clip,
    import_clip_image,
    import_clip_text,
    import_htsat,
)
from crossmodal.encoders import (
    ClipText,
    RobertaText,
    clap_model,
    clip_image,
    clip_model,
    htsat,
    htsat_tiny_audioset,
)
from crossmodal.encoders.clip import CLIP_SIZES, clip_of_size
from crossmodal.injection import fingerprint

transformers = pytest.importorskip("transformers")
TEXT = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TOKENS = torch.tensor([[40, 3, 7, 9, 41, 41, 41], [40, 5, 8, 2, 1, 6, 41]])  # ends with the largest id, padded with it


def our_clip():
    image = clip_image(16, patch=8, width=32, depth=3, heads=4)
    return clip_model(image, ClipText(12, vocabulary=42, context=9, width=16, depth=2, heads=2)).double().eval()


@pytest.fixture(scope="module")
def their_clip():
    vision = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}
    text = {**TEXT, "vocab_size": 42, "max_position_embeddings": 9, "eos_token_id": 41}
    config = transformers.CLIPConfig(
        vision_config={**vision, "image_size": 16, "patch_size": 8}, text_config=text, projection_dim=12
    )
    torch.manual_seed(0)
    return randomised(transformers.CLIPModel(config).double())


def openai(state):
    """A state of transformers' CLIP by OpenAI's names: fused query, key, value; transposed projections."""
    outside = {
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "logit_scale": "logit_scale",
    }
    norms = {"pre_layrnorm": "ln_pre", "post_layernorm": "ln_post", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
    layers = {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    held = {"input_resolution": torch.tensor(16), "context_length": torch.tensor(9), "vocab_size": torch.tensor(42)}
    for name, tensor in state.items():
        if name in outside:
            held[outside[name]] = tensor
        elif name.endswith("_projection.weight"):
            held["visual.proj" if name.startswith("visual") else "text_projection"] = tensor.mT
        elif ".q_proj." in name:
            parts = [state[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            fused = name.replace("self_attn.q_proj.", "attn.in_proj_")
            held[blocks(fused)] = torch.cat(parts)
        elif "k_proj" not in name and "v_proj" not in name:
            for theirs, ours in {**norms, **layers, "text_model.final_layer_norm": "ln_final"}.items():
                name = name.replace(theirs, ours)
            held[blocks(name)] = tensor
    return held


def blocks(name):
    name = name.replace("vision_model.encoder.layers", "visual.transformer.resblocks")
    return name.replace("text_model.encoder.layers", "transformer.resblocks").replace("vision_model", "visual")


@pytest.mark.parametrize("naming", [lambda state: state, openai], ids=["transformers", "openai"])
def test_clip_is_that_of_transformers(their_clip, naming):
    ours, frames = our_clip(), torch.randn(3, 3, 16, 16, dtype=torch.float64)
    state = naming(their_clip.state_dict())
    report = import_clip(ours, state)
    assert set(report.mapped.values()) | set(report.dropped) == set(state)
    with torch.no_grad():
        expected = their_clip(input_ids=TOKENS, pixel_values=frames)
        torch.testing.assert_close(ours(frames, TOKENS), expected.logits_per_image, atol=1e-10, rtol=0)
        image, text = their_clip.get_image_features(frames), their_clip.get_text_features(TOKENS)
        torch.testing.assert_close(ours.tower(frames), image.pooler_output, atol=1e-10, rtol=0)
        torch.testing.assert_close(ours.text(TOKENS), text.pooler_output, atol=1e-10, rtol=0)


@pytest.fixture(scope="module")
def their_clap():
    sizes = {"spec_size": 64, "num_mel_bins": 32, "patch_embeds_hidden_size": 16, "window_size": 4, "hidden_size": 32}
    audio = {**sizes, "depths": [2, 2], "num_attention_heads": [2, 2], "enable_fusion": False}
    text = {**TEXT, "vocab_size": 42, "max_position_embeddings": 11, "hidden_dropout_prob": 0.0}
    config = transformers.ClapConfig(audio_config=audio, text_config=text, projection_dim=12)
    torch.manual_seed(0)
    model = randomised(transformers.ClapModel(config).double())
    nn.init.normal_(model.audio_model.audio_encoder.batch_norm.running_mean, -40.0, 5.0)
    nn.init.uniform_(model.audio_model.audio_encoder.batch_norm.running_var, 50.0, 200.0)
    model.text_model.config._attn_implementation = "sdpa"  # the eager one rounds its softmax to float32
    return model


def our_clap():
    audio = htsat(64, mels=32, width=16, depths=(2, 2), heads=(2, 2), window=4)
    sizes = {"vocabulary": 42, "context": 9, "width": 16, "depth": 2, "heads": 2, "hidden": 64, "eps": 1e-12}
    return clap_model(audio, RobertaText(12, **sizes)).double().eval()


def laion(state):
    """A state of transformers' CLAP by LAION's names."""
    prefix = "audio_model.audio_encoder."
    audio = htsat_of({name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)})
    held = {f"audio_branch.{name}": tensor for name, tensor in audio.items()}
    held |= {f"{side}_transform.sequential.0.weight": torch.ones(12, 12) for side in ("audio", "text")}
    for name, tensor in state.items():
        if not name.startswith(prefix):
            name = name.replace("text_model.", "text_branch.")
            held[name.replace("linear1", "0").replace("linear2", "2")] = tensor
    return held


PADDED = torch.tensor([[0, 5, 9, 2, 1, 1, 1], [0, 5, 8, 20, 31, 6, 2]])


@pytest.mark.parametrize("naming", [lambda state: state, laion], ids=["transformers", "laion"])
def test_clap_is_that_of_transformers(their_clap, naming):
    ours, log_mel = our_clap(), torch.randn(3, 128, 32, dtype=torch.float64) * 20 - 40
    state = naming(their_clap.state_dict())
    report = import_clap(ours, state)
    assert set(report.mapped.values()) | set(report.dropped) == set(state)
    with torch.no_grad():
        expected = their_clap(
            input_ids=PADDED, attention_mask=(PADDED != 1).long(), input_features=log_mel[:, None]
        ).logits_per_audio
        torch.testing.assert_close(ours(log_mel, PADDED), expected, atol=1e-10, rtol=1e-10)


def test_a_tower_is_filled_from_the_whole_file(their_clip, their_clap):
    whole, state = our_clip(), openai(their_clip.state_dict())
    import_clip(whole, state)
    image, text = clip_image(16, patch=8, width=32, depth=3, heads=4).double(), our_clip().text
    assert set(import_clip_image(image, state).dropped.values()) >= {"a part of CLIP beside this one"}
    import_clip_text(text, state)
    assert fingerprint(image) == fingerprint(whole.tower.encoder)
    assert fingerprint(text) == fingerprint(whole.text)
    pair, state = our_clap(), laion(their_clap.state_dict())
    import_clap(pair, state)
    audio, text = our_clap().tower.encoder, our_clap().text
    import_htsat(audio, state)
    import_clap_text(text, state)
    assert fingerprint(audio) == fingerprint(pair.tower.encoder)
    assert fingerprint(text) == fingerprint(pair.text)


def test_damage_is_named_and_nothing_is_loaded(their_clip, their_clap):
    for build, load, state, lost, said in (
        (our_clip, import_clip, openai(their_clip.state_dict()), "ln_final.bias", r"text\.norm\.bias +missing"),
        (
            our_clap,
            import_clap,
            laion(their_clap.state_dict()),
            "text_branch.pooler.dense.bias",
            r"text\.pooler\.0\.bias",
        ),
    ):
        model = build()
        before = fingerprint(model)
        del state[lost]
        with pytest.raises(ValueError, match="the file does not fit this DualEncoder, nothing was loaded") as caught:
            load(model, {**state, "visual.more": torch.ones(1)})
        assert caught.match(said)
        assert caught.match(r"visual\.more")
        assert fingerprint(model) == before


def full_clip():
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    config = transformers.CLIPConfig(vision_config=vision, text_config={"eos_token_id": 49_407}, projection_dim=512)
    return transformers.CLIPModel(config).eval()


@pytest.mark.slow
def test_clip_of_full_size_is_that_of_transformers():
    torch.manual_seed(0)
    theirs = full_clip()
    ours, frames = (
        filled(lambda: clip_of_size(CLIP_SIZES["clip_vit_b_32"]), import_clip, theirs),
        torch.randn(2, 3, 224, 224),
    )
    tokens = torch.tensor([[49_406, 320, 1125, 539, 49_407, 49_407], [49_406, 320, 2368, 269, 1559, 49_407]])
    with torch.no_grad():
        expected = theirs(input_ids=tokens, pixel_values=frames)
        torch.testing.assert_close(
            ours.tower(frames), theirs.get_image_features(frames).pooler_output, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(ours(frames, tokens), expected.logits_per_image, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_clap_of_full_size_is_that_of_transformers():
    torch.manual_seed(0)
    theirs = transformers.ClapModel(transformers.ClapConfig(audio_config={"enable_fusion": False})).eval()
    ours = filled(lambda: clap_model(htsat_tiny_audioset(), RobertaText(eps=1e-12)), import_clap, theirs)
    log_mel = torch.randn(2, 1001, 64) * 20 - 40
    with torch.no_grad():
        expected = theirs(
            input_ids=PADDED, attention_mask=(PADDED != 1).long(), input_features=log_mel[:, None]
        ).logits_per_audio
        torch.testing.assert_close(ours(log_mel, PADDED), expected, atol=1e-4, rtol=1e-4)


def filled(build, load, theirs):
    with torch.device("meta"):
        ours = build()
    load(ours, theirs.state_dict())
    return ours.eval()
