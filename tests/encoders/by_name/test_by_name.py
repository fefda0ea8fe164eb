"""Encoders by name: each is its library's own model up to the classifier, filled from a file or loudly random."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from crossmodal.data import Preprocess
from crossmodal.encoders.by_name import audio_backbone, libraries, visual_backbone
from crossmodal.encoders.by_name.libraries import normalisation

SMALL_VIT = {"patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
SMALL_SWIN = {"window_size": 4, "embed_dim": 8, "depths": (2, 2), "num_heads": (2, 2)}
SMALL_CONVNEXT = {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)}
TIMM = {
    "vit_tiny_patch16_224": (32, SMALL_VIT, "blocks.1"),
    "swin_tiny_patch4_window7_224": (32, SMALL_SWIN, "layers.1.blocks.1"),
    "convnext_atto": (64, SMALL_CONVNEXT, "stages.3.blocks.0"),
}


def pictures(size):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("name", TIMM)
def test_a_model_of_timm_with_its_weights_says_what_the_classifier_does(name, tmp_path):
    timm = pytest.importorskip("timm")
    size, options, last = TIMM[name]
    sized = {} if name.startswith("convnext") else {"img_size": size}
    torch.manual_seed(3)
    whole = timm.create_model(name, num_classes=5, **sized, **options).eval()
    save_file(whole.state_dict(), tmp_path / "weights.safetensors")
    sight = visual_backbone(f"timm:{name}", weights=tmp_path / "weights.safetensors", size=size, options=options)
    with torch.no_grad():
        tokens, features = sight.encoder(pictures(size)), whole.forward_features(pictures(size))
    if name.startswith("convnext"):
        features = whole.head.norm(features) if hasattr(whole.head, "norm") else features
    channels_first = features.ndim == 4 and features.shape[1] == sight.width
    expected = features.flatten(2).mT if channels_first else features.flatten(1, -2)
    torch.testing.assert_close(tokens, expected)
    assert sight.encoder.names[-1] == last
    assert (sight.size, sight.mean) == (size, whole.pretrained_cfg["mean"])


@pytest.mark.parametrize(
    "name",
    ["resnet18", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vit_b_16", "swin_t", "convnext_tiny"))],
)
def test_a_model_of_torchvision_with_its_weights_says_what_the_classifier_does(name, tmp_path):
    size = 32 if name == "vit_b_16" else 64
    torch.manual_seed(3)
    whole = torchvision.models.get_model(name, **({"image_size": size} if name == "vit_b_16" else {})).eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pt")
    sight = visual_backbone(f"torchvision:{name}", weights=tmp_path / "weights.pt", size=size)
    head = {"resnet18": "fc", "vit_b_16": "heads", "swin_t": "head", "convnext_tiny": "classifier"}[name]
    with torch.no_grad():
        tokens = sight.encoder(pictures(size))
        read = tokens[:, 0] if name == "vit_b_16" else tokens.mean(1)
        read = read[..., None, None] if head == "classifier" else read
        torch.testing.assert_close(whole.get_submodule(head)(read), whole(pictures(size)))
    assert (sight.size, sight.mean) == (size, (0.485, 0.456, 0.406))


def test_a_picture_model_of_transformers_comes_from_its_folder(transformers, tmp_path):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(vision_config={**sizes, "image_size": 32, "patch_size": 8}, text_config=sizes)
    clip = transformers.CLIPModel(config).eval()
    clip.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}')
    sight = visual_backbone(f"transformers:{tmp_path}")
    with torch.no_grad():
        expected = clip.vision_model(pictures(32)).last_hidden_state
        torch.testing.assert_close(sight.encoder(pictures(32)), expected)
    assert (sight.size, sight.mean, sight.std, sight.width) == (32, (0.1, 0.2, 0.3), (1, 1, 1), 16)
    with pytest.raises(ValueError, match="is a clip: of its sound models CLAP alone is known"):
        audio_backbone(f"transformers:{tmp_path}")


@given(
    mean=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    std=st.lists(st.floats(0.1, 2), min_size=3, max_size=3),
    switches=st.tuples(*[st.booleans()] * 3),
    factor=st.sampled_from([1 / 255, 1 / 127.5, 1.0]),
)
def test_frames_are_scaled_as_the_front_end_of_a_model_says(mean, std, switches, factor):
    rescale, normalise, offset = switches
    said = {"image_mean": mean, "image_std": std, "rescale_factor": factor, "do_rescale": rescale}
    said |= {"do_normalize": normalise, "rescale_offset": offset}
    pixels = torch.randint(256, (3, 4, 4), dtype=torch.uint8)
    expected = pixels.double()
    if rescale:
        expected = expected * factor - float(offset)
    if normalise:
        expected = (expected - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    found = Preprocess(4, 16_000, *normalisation(said, "it")).image(pixels)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max() + 1))


def test_a_front_end_in_the_usual_words_is_kept_to_the_bit():
    usual = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 1], "rescale_factor": 0.00392156862745098}
    assert normalisation(usual, "it") == ((0.1, 0.2, 0.3), (0.5, 0.5, 1))
    assert normalisation({}, "it") == (Preprocess().mean, Preprocess().std)
    assert normalisation({"image_mean": 0.5, "image_std": 0.25}, "it") == ((0.5,) * 3, (0.25,) * 3)
    with pytest.raises(ValueError, match=r"it: its preprocessor_config\.json asks for blue, green and red"):
        normalisation({"do_flip_channel_order": True}, "it")
    with pytest.raises(ValueError, match=r"has image_mean and image_std .* not of RGB"):
        normalisation({"image_mean": [0.5]}, "it")


def test_the_sound_side_of_clap_comes_from_its_folder_with_its_log_mel(transformers, tmp_path):
    sizes = {"patch_embeds_hidden_size": 16, "hidden_size": 32, "depths": [2, 2], "num_attention_heads": [2, 2]}
    folding = {"spec_size": 32, "num_mel_bins": 16, "window_size": 4, "patch_size": 4, "patch_stride": [4, 4]}
    clap = transformers.ClapAudioModel(transformers.ClapAudioConfig(**sizes, **folding, num_hidden_layers=2)).eval()
    clap.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        '{"sampling_rate": 8000, "hop_length": 80, "frequency_max": 4000}'
    )
    hearing = audio_backbone(f"transformers:{tmp_path}")
    assert (hearing.rate, hearing.width) == (8000, 32)
    assert hearing.encoder.sites[0].extent == {"frequency": 4, "time": 16}
    with torch.no_grad():
        log_mel = hearing.sound(torch.randn(2, 8000))
        assert log_mel.shape == (2, 1, 64, 16)
        torch.testing.assert_close(hearing.encoder(log_mel), clap(log_mel).last_hidden_state)


def test_random_weights_are_the_same_every_time_draw_nothing_and_are_said_aloud(caplog):
    pytest.importorskip("timm")
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        sight = visual_backbone("timm:vit_tiny_patch16_224", size=32, options=SMALL_VIT)
        drawn.append((torch.rand(2), sight.encoder.state_dict()))
    torch.testing.assert_close(*drawn, rtol=0, atol=0)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(2), drawn[0][0])
    assert "visual encoder timm:vit_tiny_patch16_224 has RANDOM weights: it knows nothing" in caplog.text
    assert "as visual_weights" in caplog.text


def test_ours_are_known_by_name(caplog):
    sight, hearing = visual_backbone("tiny"), audio_backbone("tiny")
    assert (sight.size, sight.width, hearing.rate, hearing.width) == (64, 128, 16_000, 96)
    assert not caplog.text  # they come with weights
    assert audio_backbone("htsat").sound(torch.randn(1, 32_000)).shape == (1, 1001, 64)
    assert "audio encoder htsat has RANDOM weights" in caplog.text


def test_what_cannot_be_fetched_is_said_in_words(monkeypatch):
    timm = pytest.importorskip("timm")

    def unreachable(*_, **__):
        raise OSError("no route to the hub")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(ConnectionError, match=r"timm:resnet18: its weights .* \(no route to the hub\): get them in"):
        visual_backbone("timm:resnet18", weights="pretrained")


def test_a_library_that_is_not_there_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(libraries, "import_module", missing)
    with pytest.raises(ImportError, match=r"a model of timm needs it .*: pip install timm"):
        visual_backbone("timm:resnet18")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm:vit_smal_patch16_224", {}, r"no backbone 'timm:vit_smal_patch16_224'; nearest: 'timm:vit_small_patch16"),
        ("torchvision:resnet19", {}, "no backbone 'torchvision:resnet19'; nearest: 'torchvision:resnet18'"),
        (
            "torchvision:alexnet",
            {},
            "torchvision:alexnet: its blocks are not where other models have them; say by points",
        ),
        (
            "torchvision:googlenet",
            {"options": {"init_weights": False}},
            "torchvision:googlenet is no ViT, Swin, ConvNeXt",
        ),
        ("transformers:nowhere", {}, "transformers:nowhere must be a folder that save_pretrained wrote"),
        ("swin_v2", {}, "no backbone 'swin_v2'; nearest: 'swin_v2_l'"),
        ("tiny", {"size": 32}, "'tiny' takes no size=32"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_name_that_does_not_fit_is_refused_in_words(name, options, message):
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=message):
        visual_backbone(name, **options)


def test_a_file_that_does_not_fit_is_refused_with_a_table(tmp_path):
    pytest.importorskip("timm")
    save_file({"blocks.0.norm1.weight": torch.ones(3), "more": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"timm:vit_tiny_patch16_224: the file does not fit this VisionTransformer"):
        visual_backbone("timm:vit_tiny_patch16_224", weights=tmp_path / "other.safetensors", size=32, options=SMALL_VIT)


def test_a_folder_whose_file_lacks_tensors_is_refused(transformers, tmp_path):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=8), add_pooling_layer=False)
    kept = {name: tensor for name, tensor in model.state_dict().items() if ".1." not in name}
    model.save_pretrained(tmp_path, state_dict=kept)
    with pytest.raises(ValueError, match=r"its file lacks \d+ tensors of ViTModel, as \["):
        visual_backbone(f"transformers:{tmp_path}")
    with pytest.raises(ValueError, match="ViTConfig has no 'depth' to be set to 3"):
        visual_backbone(f"transformers:{tmp_path}", options={"depth": 3})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_folder_in_half_precision_comes_back_in_float32(transformers, dtype, tmp_path):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    saved = transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=32, patch_size=8)).to(dtype)
    saved.save_pretrained(tmp_path)
    encoder = visual_backbone(f"transformers:{tmp_path}").encoder
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    theirs = saved.float().eval()
    torch.testing.assert_close(encoder(pictures(32)), theirs(pictures(32)).last_hidden_state)
