import math

import pytest
import torch
from einops import rearrange
from torch import nn

from crossmodal.audio import LogMel
from crossmodal.audio.log_mel import hertz_to_mel, mel_to_hertz
from crossmodal.checkpoints import import_htsat
from crossmodal.encoders import htsat, htsat_tiny_audioset


def clap_encoder(**sizes):
    """The audio tower of CLAP without fusion: HTS-AT, but for a log-mel longer than 1024 frames, which it refuses."""
    library = pytest.importorskip("transformers.models.clap.modeling_clap")
    config = library.ClapAudioConfig(enable_fusion=False, **sizes)
    model = library.ClapAudioModel(config).audio_encoder.eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
        elif name.endswith("relative_position_bias_table"):
            nn.init.normal_(parameter)
        else:
            nn.init.normal_(parameter, std=1 / parameter[0].numel() ** 0.5)
    nn.init.normal_(model.batch_norm.running_mean, -40.0, 5.0)
    nn.init.uniform_(model.batch_norm.running_var, 50.0, 200.0)
    return model


def assert_equal_stages(ours, theirs, log_mel, *, atol, rtol=0.0):
    """Compares after the stem, after every stage and its merge, and after the head.

    Theirs unfolds the normalised last stream into (channel, band, time); ours stays a stream whose site says the same.
    """
    expected = theirs(log_mel[:, None], output_hidden_states=True)
    stream, found = ours.stem(log_mel), []
    found.append(stream)
    for site in ours.sites[1:]:
        stream = ours.section(site.name)(stream)
        if site.part == "merge":
            found.append(stream)
    found.append(stream)
    for our, their in zip(found, expected.hidden_states, strict=True):
        torch.testing.assert_close(our, their.flatten(2).transpose(1, 2), atol=atol, rtol=rtol)
    last, head = ours.sites[-1], ours.head(stream)
    unfolded = torch.zeros_like(expected.last_hidden_state)
    unfolded[:, :, last.axes["frequency"], last.axes["time"]] = rearrange(
        head, "frame token channel -> frame channel token"
    )
    torch.testing.assert_close(unfolded, expected.last_hidden_state, atol=atol, rtol=rtol)
    assert torch.equal(ours(log_mel), head)


@pytest.mark.parametrize("time", [61, 128])
@pytest.mark.parametrize(
    ("spectrogram", "mels", "depths", "heads", "window"),
    [(64, 32, (2, 2, 2), (2, 2, 4), 4), (64, 16, (1, 3), (1, 4), 8)],
)
def test_every_stage_is_that_of_transformers(spectrogram, mels, depths, heads, window, time):
    torch.manual_seed(0)
    theirs = clap_encoder(
        spec_size=spectrogram,
        num_mel_bins=mels,
        patch_embeds_hidden_size=16,
        depths=list(depths),
        num_attention_heads=list(heads),
        window_size=window,
        hidden_size=16 * 2 ** (len(depths) - 1),
    ).double()
    ours = htsat(spectrogram, mels=mels, width=16, depths=depths, heads=heads, window=window).double().eval()
    import_htsat(ours, theirs.state_dict())
    log_mel = torch.randn(2, time, mels, dtype=torch.float64) * 20 - 40
    with torch.no_grad():
        assert_equal_stages(ours, theirs, log_mel, atol=1e-10)


@pytest.mark.slow
def test_full_size_is_that_of_transformers():
    torch.manual_seed(0)
    theirs = clap_encoder(
        spec_size=256,
        num_mel_bins=64,
        patch_embeds_hidden_size=96,
        depths=[2, 2, 6, 2],
        num_attention_heads=[4, 8, 16, 32],
        window_size=8,
        hidden_size=768,
    )
    with torch.device("meta"):
        ours = htsat_tiny_audioset()
    import_htsat(ours, theirs.state_dict())
    with torch.no_grad():
        assert_equal_stages(ours.eval(), theirs, torch.randn(2, 1001, 64) * 20 - 40, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return htsat_tiny_audioset()


def test_full_size_has_the_published_parameters(full):
    body = [*full.stem.parameters(), *full.sections.parameters()]
    assert sum(parameter.numel() for parameter in body) == 27_532_952
    assert sum(parameter.numel() for parameter in full.head.parameters()) == 1_536


@pytest.mark.parametrize("samples", [320_000, 160_000])
def test_full_size_traces_the_published_shapes(full, samples):
    """Spec B.8: ten repeated seconds give 1001 frames, five give 501; then tokens and widths of the four stages."""
    log_mel = LogMel()(torch.empty(10, samples, device="meta"))
    assert log_mel.shape == (10, samples // 320 + 1, 64)
    stream = full.stem(log_mel)
    trace = [stream.shape]
    for section in full.sections.values():
        stream = section(stream)
        trace.append(stream.shape)
    assert [(shape[1], shape[2]) for shape in trace] == [(site.tokens, site.width) for site in full.sites]
    assert list(dict.fromkeys(map(tuple, trace))) == [(10, 4096, 96), (10, 1024, 192), (10, 256, 384), (10, 64, 768)]


def test_full_size_windows_are_clipped_as_published(full):
    attentions = [full.section(site.name).body for site in full.sites if site.part == "attention"]
    assert all(attention.position.table.shape[0] == 15 * 15 for attention in attentions)
    shifts = [attention.windows.shift[0] for attention in attentions]
    assert shifts == [0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 0]


def local(**changed):
    """An encoder whose half-blocks do nothing: what a token sees is its own patches alone."""
    encoder = htsat(64, **{"mels": 32, "width": 8, "depths": (1, 1, 1), "heads": (1, 1, 1), "window": 4} | changed)
    for site in encoder.sites[1:]:
        if site.part != "merge":
            for parameter in encoder.section(site.name).body.parameters():
                nn.init.zeros_(parameter)
    return encoder.eval()


@pytest.mark.parametrize(("band", "time"), [(0, 0), (1, 0), (7, 17), (6, 17), (3, 31)])
def test_sites_know_band_and_time_of_every_token(band, time):
    """A cell of the log-mel that changes reaches, at every site, exactly the token with its band and time."""
    encoder = local()
    before = torch.randn(1, 128, 32)  # the full length: nothing is stretched
    after = before.clone()
    after[:, 4 * time + 2, 4 * band + 1] += 5
    first, second = encoder.stem(before), encoder.stem(after)
    for site in encoder.sites:
        if site.name != "stem":
            first, second = (encoder.section(site.name)(stream) for stream in (first, second))
        changed = (first != second).any(-1)[0].nonzero().flatten().tolist()
        halvings = site.stage + (site.part == "merge")
        assert [(site.axes["frequency"][token], site.axes["time"][token]) for token in changed] == [
            (band >> halvings, time >> halvings)
        ]


def test_a_tone_that_moves_up_one_band_moves_up_one_frequency_coordinate():
    """A sine in the middle of four mel bins lights the tokens of one frequency, at all times; a row is not a band."""
    encoder, site = local(depths=(1,), heads=(1,)), local(depths=(1,), heads=(1,)).sites[0]
    nn.init.ones_(encoder.stem.patches.proj.weight)
    front = LogMel(16_000, n_fft=512, hop=160, mels=32, fmin=50, fmax=8_000)
    seconds = torch.arange(20_480, dtype=torch.float64) / 16_000
    edges = torch.linspace(*hertz_to_mel(torch.tensor([50.0, 8_000.0])).tolist(), 34, dtype=torch.float64)
    energy = []
    handle = encoder.stem.patches.proj.register_forward_hook(lambda _, __, out: energy.append(out[0, 0].flatten()))
    for band in range(8):
        hertz = mel_to_hertz(edges[4 * band + 2 : 4 * band + 4].mean())
        encoder(front((2 * math.pi * hertz * seconds).sin().float()[None]))
        loudest = energy[-1].topk(32).indices.tolist()
        assert {site.axes["frequency"][token] for token in loudest} == {band}
        assert {site.axes["time"][token] for token in loudest} == set(range(32))
        assert {token // 16 for token in loudest} == {band, 8 + band}
    handle.remove()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mels": 48}, "SpectrogramStem: mels=48 must divide the side=256"),
        ({"mels": 16}, r"htsat: mels=16 must be divisible by patch·2\^\(stages-1\) = 32"),
        ({"window": 6}, "WindowAttention: window=6 must tile rows=64 of the grid; possible are"),
        ({"heads": (5, 8, 16, 32)}, "WindowAttention: heads=5 must divide width=96"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(changed, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        htsat(**changed)


def test_a_log_mel_of_other_bins_is_refused():
    with pytest.raises(ValueError, match=r"SpectrogramStem: log_mel has width 64.* built for width 32"):
        local()(torch.zeros(1, 128, 64))
