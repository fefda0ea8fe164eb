"""VGG-19, VGGish and torchvision's ResNets equal independent implementations, weights read from their own files."""

import h5py
import numpy as np
import pytest
import torch
from golden_baselines import facts, numbers
from golden_numbers import hashed, hashed_weight
from torch.nn import functional as F
from torchvision import models

from crossmodal.audio.vggish_mel import VggishLogMel, vggish_filters
from crossmodal.checkpoints.extractors import import_torchvision, import_vgg19, import_vggish
from crossmodal.encoders import FrameVectors, SecondVectors, vgg19, vggish
from crossmodal.encoders.by_name.own import KERAS_MEANS

DEPTHS = (2, 2, 4, 4, 4)


def keras_file(file, network, ending, top=False):
    """A file as Keras writes it: kernels `(row, column, in, out)`; the weights of torchvision's network."""
    convs = [layer for layer in network if isinstance(layer, torch.nn.Conv2d)]
    names = [f"block{block}_conv{conv}" for block, depth in enumerate(DEPTHS, 1) for conv in range(1, depth + 1)]
    with h5py.File(file, "w") as out:
        for name, conv in zip(names, convs, strict=True):
            kernel, bias = conv.weight.detach().permute(2, 3, 1, 0), conv.bias.detach()
            out[ending.format(layer=name, kind="W" if ":" in ending else "kernel")] = kernel.numpy()
            out[ending.format(layer=name, kind="b" if ":" in ending else "bias")] = bias.numpy()
        if top:
            out["predictions/predictions_W_1:0"] = np.zeros((4, 2), np.float32)
    return file


@pytest.mark.parametrize(
    ("ending", "top"),
    [("{layer}/{layer}_{kind}_1:0", True), ("model_weights/{layer}/{layer}/{kind}", False)],
    ids=["keras-2", "keras-3"],
)
def test_vgg19_of_keras_is_torchvisions_network_on_bgr(tmp_path, monkeypatch, ending, top):
    widths = (2, 3, 4, 4, 5)
    layers, entering = [], 3
    for width, depth in zip(widths, DEPTHS, strict=True):
        for _ in range(depth):
            layers += [torch.nn.Conv2d(entering, width, 3, padding=1), torch.nn.ReLU()]
            entering = width
        layers.append(torch.nn.MaxPool2d(2))
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(*layers)
    with torch.device("meta"):
        assert [type(layer) for layer in theirs] == [type(layer) for layer in models.vgg19().features]
    ours = vgg19(64, widths=widths)
    report = import_vgg19(ours, keras_file(tmp_path / "weights.h5", theirs, ending, top))
    assert bool(report.dropped) == top
    pixels = torch.rand(2, 3, 64, 64) * 255
    means = torch.tensor(KERAS_MEANS)[None, :, None, None]
    expected = theirs((pixels - means).flip(1)).flatten(2).mT
    torch.testing.assert_close(ours(pixels - means), expected, rtol=1e-5, atol=1e-5)


def test_vgg19_has_the_published_size_and_refuses_another_network():
    with torch.device("meta"):
        encoder = vgg19()
    assert sum(p.numel() for p in encoder.parameters()) == 20_024_384
    assert (encoder.sites[-1].tokens, encoder.sites[-1].width) == (49, 512)
    with pytest.raises(ValueError, match="no Keras VGG-19 checkpoint"):
        import_vgg19(vgg19(32, widths=(1,) * 5), {"features.0.weight": torch.zeros(1, 3, 3, 3)})
    with pytest.raises(ValueError, match="size=100 must be a multiple of 32"):
        vgg19(100)


def test_vggish_by_plain_layers():
    torch.manual_seed(0)
    encoder = vggish(widths=(2, 3, 4, 5), hidden=6, width=7)
    shapes = {0: (2, 1), 3: (3, 2), 6: (4, 3), 8: (4, 4), 11: (5, 4), 13: (5, 5)}
    flat = {0: (6, 120), 2: (6, 6), 4: (7, 6)}
    given = {f"features.{at}.weight": torch.randn(*shape, 3, 3) for at, shape in shapes.items()}
    given |= {f"embeddings.{at}.weight": torch.randn(*shape) / shape[1] ** 0.5 for at, shape in flat.items()}
    given |= {name.replace("weight", "bias"): torch.randn(weight.shape[0]) for name, weight in given.items()}
    import_vggish(encoder, {**given, "pproc.pca_means": torch.zeros(3)})
    x = log_mel = torch.randn(2, 1, 96, 64)
    for at in shapes:
        x = F.relu(F.conv2d(x, given[f"features.{at}.weight"], given[f"features.{at}.bias"], padding=1))
        x = x if at in (6, 11) else F.max_pool2d(x, 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    for at in flat:
        x = F.relu(F.linear(x, given[f"embeddings.{at}.weight"], given[f"embeddings.{at}.bias"]))
    torch.testing.assert_close(encoder(log_mel)[:, 0], x, rtol=1e-4, atol=1e-4)


def golden_second():
    return torch.from_numpy((0.5 * hashed(16_000, 1030)).astype(np.float32)).double()[None]


def test_log_mel_of_vggish():
    torch.testing.assert_close(
        vggish_filters(device=torch.device("cpu")), numbers("vggish", "mel")["matrix"], rtol=0, atol=1e-12
    )
    expected = numbers("vggish", "log_mel")["all_98_frames"][None, :96]
    torch.testing.assert_close(VggishLogMel()(golden_second()), expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(VggishLogMel()(golden_second().float()).double(), expected, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r"15000 samples, but 96 frames at 16000 Hz need 15600"):
        VggishLogMel()(torch.zeros(1, 15_000))


@pytest.mark.slow
def test_vggish_of_torchvggish_at_full_size():
    """72 million weights from their closed form."""
    state = {
        name: hashed_weight(torch.Size(shape), position, False)
        for position, (name, shape) in enumerate(facts("vggish")["state"].items())
    }
    with torch.device("meta"):
        encoder = vggish()
    import_vggish(encoder, state)
    assert sum(p.numel() for p in encoder.parameters()) == 72_141_184
    found = encoder(VggishLogMel()(golden_second().float())[:, None])[:, 0]
    expected = numbers("vggish", "out")["embedding"]
    assert (expected >= 0).all()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_frame_vectors_are_torchvisions_pooled_maps():
    torch.manual_seed(0)
    theirs = models.resnet18().eval()
    ours = FrameVectors("resnet18").eval()
    report = import_torchvision(ours, theirs.state_dict())
    assert {*report.dropped} == {"fc.weight", "fc.bias"}
    frames = torch.rand(2, 3, 64, 64)
    kept = torch.nn.Sequential(*list(theirs.children())[:-2])
    torch.testing.assert_close(ours(frames), kept(frames).mean((2, 3)), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="no classifier named fc"):
        FrameVectors("vgg11")


@pytest.mark.slow
@pytest.mark.parametrize(("build", "name"), [(FrameVectors, "resnet152"), (SecondVectors, "r2plus1d_18")])
def test_published_vectors(build, name):
    theirs = models.get_model(name).eval()
    ours = build().eval()
    import_torchvision(ours, theirs.state_dict())
    theirs.fc = torch.nn.Identity()
    given = torch.rand(1, 3, 64, 64) if build is FrameVectors else torch.rand(1, 8, 3, 32, 32)
    expected = theirs(given if build is FrameVectors else given.transpose(1, 2))
    torch.testing.assert_close(ours(given), expected, rtol=1e-5, atol=1e-5)
    assert expected.shape[1] == (2048 if build is FrameVectors else 512)
