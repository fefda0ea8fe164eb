"""HTS-AT of others: its authors' naming and transformers' CLAP fill the encoder with the same numbers."""

import pytest
import torch
from released_layouts import htsat_of, randomised, released

from crossmodal.checkpoints import import_htsat
from crossmodal.encoders import htsat, htsat_tiny_audioset
from crossmodal.injection import fingerprint

SIZES = {
    "spec_size": 64,
    "num_mel_bins": 32,
    "patch_embeds_hidden_size": 16,
    "depths": [2, 2, 2],
    "num_attention_heads": [2, 2, 4],
    "window_size": 4,
    "hidden_size": 64,
    "projection_hidden_size": 64,
}


def clap(*, fusion=False):
    library = pytest.importorskip("transformers.models.clap.modeling_clap")
    torch.manual_seed(0)
    model = randomised(library.ClapAudioModel(library.ClapAudioConfig(enable_fusion=fusion, **SIZES)).double())
    torch.nn.init.normal_(model.audio_encoder.batch_norm.running_mean, -40.0, 5.0)
    torch.nn.init.uniform_(model.audio_encoder.batch_norm.running_var, 50.0, 200.0)
    return model


@pytest.fixture(scope="module")
def theirs():
    return clap()


def ours():
    return htsat(64, mels=32, width=16, depths=(2, 2, 2), heads=(2, 2, 4), window=4).double().eval()


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


NAMINGS = {
    "ClapAudioModel": lambda model: model.state_dict(),
    "its encoder alone": lambda model: model.audio_encoder.state_dict(),
    "ClapModel": lambda model: {
        **prefixed("audio_model.", model.state_dict()),
        "text_model.embeddings.position_ids": torch.arange(4)[None],
        "audio_projection.linear1.weight": torch.ones(4, 64),
        "text_projection.linear1.weight": torch.ones(4, 64),
        "logit_scale_a": torch.ones(()),
    },
    "HTS-AT": lambda model: htsat_of(model.audio_encoder.state_dict()),
    "HTS-AT in training": lambda model: prefixed("sed_model.", htsat_of(model.audio_encoder.state_dict())),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_after_import_the_outputs_are_those_of_transformers(theirs, naming):
    encoder, state = ours(), NAMINGS[naming](theirs)
    report = import_htsat(encoder, state)
    assert report.layout == ("HTS-AT as released" if "HTS-AT" in naming else "HTS-AT as transformers' CLAP names it")
    assert set(report.mapped.values()) | set(report.dropped) == set(state)
    log_mel = torch.randn(2, 128, 32, dtype=torch.float64) * 20 - 40
    with torch.no_grad():
        stream, expected = encoder(log_mel), theirs.audio_encoder(log_mel[:, None]).last_hidden_state
    last = encoder.sites[-1]
    found = torch.zeros_like(expected)
    found[:, :, last.axes["frequency"], last.axes["time"]] = stream.transpose(1, 2)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_what_is_dropped_has_a_reason(theirs):
    state = NAMINGS["HTS-AT in training"](theirs)
    dropped = import_htsat(ours(), state).dropped
    assert dropped["sed_model.spectrogram_extractor.stft.conv_real.weight"] == "kernels of the STFT, computed by LogMel"
    assert dropped["sed_model.logmel_extractor.melW"] == "filters of the mel scale, computed by LogMel"
    assert dropped["sed_model.tscam_conv.weight"] == "the encoder's own classifier, which no recipe uses"
    indices = [name for name, why in dropped.items() if why == "the index of relative positions, computed here"]
    assert len(indices) == 6
    assert len(dropped) == 4 + 6


def test_the_mel_filters_of_a_file_are_compared_with_ours(theirs):
    library = pytest.importorskip("torchlibrosa.stft")
    filters = library.LogmelFilterBank(sr=32_000, n_fft=1024, n_mels=64, fmin=50, fmax=14_000).melW
    other = library.LogmelFilterBank(sr=48_000, n_fft=1024, n_mels=64, fmin=50, fmax=14_000).melW
    for mel, verb in ((filters, "are"), (other, "are NOT")):
        report = import_htsat(ours(), {**NAMINGS["HTS-AT"](theirs), "logmel_extractor.melW": mel.detach()})
        assert report.notes == (f"its mel filters {verb} those of LogMel() (logmel_extractor.melW)",)


def test_fusion_is_left_out_by_name():
    report = import_htsat(ours(), clap(fusion=True).state_dict())
    fusion = [name for name, why in report.dropped.items() if why.startswith("the fusion of long sounds")]
    assert fusion
    assert all("fusion_model" in name or "mel_conv2d" in name for name in fusion)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bn0.running_var", r"stem\.norm\.running_var +missing +torch.float64 \(32,\)"),
        ("layers.0.blocks.0.attn.qkv.bias", r"sections\.stages0_0_attention\.body\.query\.bias +missing"),
        (
            "layers.0.downsample.reduction.weight",
            r"sections\.stages0_merge\.merging\.reduction\.weight +missing",
        ),
    ],
)
def test_damage_is_named_and_nothing_is_loaded(theirs, name, said):
    encoder, state = ours(), NAMINGS["HTS-AT"](theirs)
    del state[name]
    before = fingerprint(encoder)
    with pytest.raises(ValueError, match="import_htsat: the file does not fit this Encoder") as caught:
        import_htsat(encoder, state)
    assert caught.match(said)
    assert fingerprint(encoder) == before


def test_a_swin_is_said_to_be_one():
    with pytest.raises(
        ValueError, match=r"is no HTS-AT as released checkpoint.* It looks like Swin-V2: import_swin_v2"
    ):
        import_htsat(ours(), {"stages.0.attn.cpb_mlp.0.weight": torch.ones(1)})


def test_names_and_shapes_of_the_published_one_fit():
    with torch.device("meta"):
        report = import_htsat(htsat_tiny_audioset(), released("htsat", device="meta"))
    assert len(set(report.mapped.values())) == 176
    assert len(report.dropped) == 24


@pytest.mark.slow
def test_the_published_one_made_of_random_numbers_arrives():
    encoder, state = htsat_tiny_audioset(), released("htsat")
    import_htsat(encoder, {"state_dict": state, "epoch": 3})
    rebuilt = [encoder.section("stages.2.3.attention").body.get_submodule(part) for part in ("query", "key", "value")]
    weight = state["sed_model.layers.2.blocks.3.attn.qkv.weight"]
    assert torch.equal(torch.cat([part.weight for part in rebuilt]), weight)
