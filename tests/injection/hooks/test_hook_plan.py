"""What does not fit is refused in words, where the model is injected or where it is called."""

import pytest
import torch
from third_party import GUIDE, PICTURE, SOUND, Whisper, convnext, swin, timm_swin
from torch import nn

from crossmodal.injection import Injected, sites


def inject(model, *patterns, example=PICTURE, **options):
    return Injected(model, dict.fromkeys(patterns, Whisper), guide=GUIDE, sites=sites(model, example), **options)


@pytest.mark.parametrize(
    ("patterns", "reads", "message"),
    [
        (["feature.1.*"], {}, r"pattern 'feature.1.\*' matches no module that ran in the probe; nearest are 'features"),
        (["features.1.*", "features.?.0"], {}, r"'features.1.0' is matched by 'features.1.\*' and by 'features.\?.0'"),
        (["features.1.0"], {"features.1.1": "x"}, r"reads\['features.1.1'\] belongs to no adapter; the patterns are"),
        (
            ["features.1.0"],
            {"features.1.0": "features.1.0.blok"},
            "'features.1.0.blok', which 'features.1.0' reads, did",
        ),
        (["features.1.0"], {"features.1.0": "features.*"}, "has 1 wildcards, but the pattern that it belongs to has 0"),
        (["classifier.2"], {}, r"no stream flows into 'classifier.2'.*\(2, 16\) is neither \(frame, token, channel\)"),
        (["classifier"], {}, r"no stream flows out of 'classifier', which .* matches: the shape \(2, 5\)"),
        (
            ["features.2"],
            {},
            "'features.2' takes a stream of 2 frames, 128 tokens, 8 channels, but 'features.2' gives one of 2 frames, "
            "32 tokens, 16 channels",
        ),
    ],
)
def test_law_12_patterns_that_do_not_fit_are_named_with_the_fix(patterns, reads, message):
    with pytest.raises(ValueError, match=message):
        inject(convnext(), *patterns, reads=reads)


def test_an_ambiguous_layout_is_named_with_its_shape():
    model = nn.Sequential(nn.Sequential(nn.GroupNorm(2, 8), nn.LayerNorm(8)))
    with pytest.raises(
        ValueError, match=r"'0', .*in the shape \(2, 8, 8, 8\) channels may come first or last; .* not square"
    ):
        inject(model, "0", example=torch.randn(2, 8, 8, 8))


def test_a_module_that_runs_with_several_shapes_is_named_with_them():
    class Twice(nn.Sequential):
        def forward(self, x):
            return self[0](self[0](x)[:, :2])

    with pytest.raises(ValueError, match=r"it runs several times, with shapes \(2, 3, 4\), \(2, 2, 4\)"):
        inject(Twice(nn.ReLU()), "0", example=torch.randn(2, 3, 4))


def test_a_module_that_takes_no_tensor_is_named():
    class Pick(nn.Module):
        def forward(self, pair):
            return pair["x"]

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.pick = Pick()

        def forward(self, x):
            return self.pick({"x": x})

    with pytest.raises(ValueError, match="no stream flows into 'pick', which 'pick' reads: it is no tensor"):
        inject(Model(), "pick", example=torch.randn(2, 3, 4))


def test_two_names_that_become_one_key_are_refused():
    model = nn.Sequential()
    model.add_module("a", nn.Sequential(nn.Identity()))
    model.add_module("a_0", nn.Identity())
    with pytest.raises(ValueError, match=r"two of \['a.0', 'a_0'\] become one key"):
        inject(model, "a.0", "a_0", example=torch.randn(2, 3, 4))


@pytest.mark.parametrize(
    ("guide", "error", "message"),
    [
        (
            SOUND[:, 0],
            ValueError,
            r"guide has shape \(2, 6\), but the guide 'audio' is \(frame, guide_token, 6\).*guide\[:, None\]",
        ),
        (
            SOUND[..., :5],
            ValueError,
            r"guide has shape \(2, 3, 5\), but the guide 'audio' is \(frame, guide_token, 6\)",
        ),
        (
            SOUND[:1],
            ValueError,
            "guide has 1 frames, but the stream into 'features.1.0' has 2; each frame needs its own",
        ),
        (SOUND.repeat(2, 1, 1), ValueError, "guide has 4 frames, but the stream into 'features.1.0' has 2"),
        (SOUND.double(), TypeError, "guide is torch.float64, but the stream into 'features.1.0' is torch.float32"),
        (SOUND.to("meta"), TypeError, "guide is on meta, but the stream into 'features.1.0' on cpu"),
    ],
)
def test_law_12_a_guide_that_does_not_fit_is_named_with_both_values(guide, error, message):
    with pytest.raises(error, match=message):
        inject(convnext(), "features.1.0")(PICTURE, guide=guide)


def test_a_module_that_folds_windows_into_its_frames_cannot_be_guided():
    guided = inject(timm_swin(), "layers.0.blocks.0.attn")
    with pytest.raises(ValueError, match=r"guide has 2 frames, but .* has 16; .*folds windows into its frames"):
        guided(PICTURE, guide=SOUND)


def test_an_input_unlike_the_probe_is_named():
    class Either(nn.Module):
        def __init__(self):
            super().__init__()
            self.pass_on = nn.Identity()

        def forward(self, x):
            return self.pass_on(x)

    guided = inject(Either(), "pass_on", example=torch.randn(2, 3, 4))
    with pytest.raises(
        ValueError, match=r"'pass_on' has shape \(2, 3, 5\), but the probe saw \(frame token channel\) with 4"
    ):
        guided(torch.randn(2, 3, 5), guide=SOUND)


def test_a_source_that_runs_too_late_is_named():
    model = nn.Sequential(nn.Identity(), nn.Identity())
    guided = inject(model, "0", example=torch.randn(2, 3, 4), reads={"0": "1"})
    with pytest.raises(RuntimeError, match="'0' has returned, but '1', whose input its adapter reads, has not run"):
        guided(torch.randn(2, 3, 4), guide=SOUND)


def test_a_residual_that_is_never_added_is_named():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.step, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.last(self.step(self.step(x)))

    guided = inject(Loop(), "last", example=torch.randn(2, 3, 4), reads={"last": "step"})
    with pytest.raises(
        RuntimeError, match=r"1 residuals for 'last' were computed and never added: .* more often than 'last'"
    ):
        guided(torch.randn(2, 3, 4), guide=SOUND)
    assert guided._calls == []


def test_the_order_of_patterns_does_not_change_the_keys():
    one, other = inject(swin(), "features.3.*", "features.1.*"), inject(swin(), "features.1.*", "features.3.*")
    assert list(one.adapters) == list(other.adapters)
    assert list(one.adapters) == ["features_1_0", "features_1_1", "features_3_0", "features_3_1"]
