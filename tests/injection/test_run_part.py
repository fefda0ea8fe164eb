"""A lockstep says in a sentence why a part of an encoder cannot run, and never changes what somebody keeps."""

from functools import partial

import pytest
import torch
from torch import nn

from crossmodal.adapters import Adapted, guided_adapter, modulation_of
from crossmodal.encoders import htsat, swin_v2
from crossmodal.injection import Encoder, Lockstep, Step, checkpointed, couple, freeze, half_precision, paired_by_depth
from crossmodal.site import Site, grid_axes

PICTURES = {"visual": torch.randn(2, 3, 32, 32), "audio": torch.randn(2, 64, 16)}


def encoders():
    torch.manual_seed(0)
    sizes = {"width": 16, "depths": (1, 1), "heads": (2, 4), "window": 4}
    return freeze(swin_v2(32, **sizes)), freeze(htsat(32, mels=16, **sizes))


class Doubling(nn.Module):
    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace

    def forward(self, stream):
        return stream.mul_(2) if self.inplace else stream * 2


def lockstep(inplace):
    sites = [Site(name, 3, grid_axes(1, 4), part="stem" if name == "stem" else "block") for name in ("stem", "a", "b")]
    stem = nn.Sequential(nn.Flatten(2), nn.Identity())
    sections = {"a": Doubling(inplace), "b": Doubling(inplace)}
    encoder = Encoder(nn.Sequential(stem, _Tokens()), sections, nn.Identity(), sites)
    return Lockstep({"visual": encoder}, steps=(Step({"visual": ("a",)}), Step({"visual": ("b",)})), couplers={})


class _Tokens(nn.Module):
    def forward(self, flat):
        return flat.mT + 0


@pytest.mark.parametrize("tap", ["visual.stem", "visual.a", "visual.b"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_tap_is_right_or_refused(tap, mode):
    given = {"visual": torch.randn(2, 3, 1, 4)}
    with mode():
        expected = lockstep(False)(given, taps=[tap])
        assert torch.equal(lockstep(True)(given).streams["visual"], expected.streams["visual"])
        if mode is torch.no_grad and tap != "visual.b":
            with pytest.raises(RuntimeError, match="overwrites the stream that it is given, which a tap"):
                lockstep(True)(given, taps=[tap])
            with pytest.raises(RuntimeError, match="or a mode of execution keeps"):
                checkpointed(lockstep(True))(given)
        else:
            assert torch.equal(lockstep(True)(given, taps=[tap]).taps[tap], expected.taps[tap])


def test_half_weights_under_autocast_are_named_with_the_transform_that_works():
    visual, audio = encoders()
    coupled = couple(visual.bfloat16(), audio.bfloat16(), adapter=guided_adapter)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match=r"half_precision\(encoder\)"):
        coupled(PICTURES)
    visual, audio = (half_precision(encoder) for encoder in encoders())
    with torch.autocast("cpu", torch.bfloat16):
        couple(visual, audio, adapter=guided_adapter)(PICTURES)


def test_a_hook_on_an_encoder_is_warned_of_once_and_works_on_a_section():
    coupled, seen = couple(*encoders(), adapter=guided_adapter), []
    encoder = coupled.encoder("visual")
    encoder.section("stages.0.0.mlp").register_forward_hook(lambda *_: seen.append("section"))
    coupled(PICTURES)
    encoder.register_forward_hook(lambda *_: seen.append("encoder"))
    with pytest.warns(UserWarning, match=r"the encoder 'visual' has forward hooks, which do not run here"):
        coupled(PICTURES)
    coupled(PICTURES)
    assert seen == ["section"] * 3


class Returns(nn.Module):
    """An adapter or a guidance that returns what it was told to."""

    def __init__(self, what, *sizes):
        super().__init__()
        self.what = what

    def forward(self, stream, other):
        return self.what(stream)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda stream: stream, r"adapter visual → audio: Returns returned a Tensor; an adapter returns Adapted\("),
        (lambda stream: None, "Returns returned a NoneType"),
        (lambda stream: (stream, {}, 1), r"a tuple of \['Tensor', 'dict', 'int'\]"),
        (lambda stream: Adapted(None, {}), r"a Adapted of \['NoneType', 'dict'\]"),
    ],
)
def test_an_adapter_that_returns_something_else_is_named(what, said):
    with pytest.raises(ValueError, match=said):
        couple(*encoders(), adapter=partial(Returns, what))


@pytest.mark.parametrize(
    "what",
    [lambda s: s[..., 0], lambda s: s[0, 0], lambda s: s.mT, lambda s: s[:1, :1], lambda s: None, lambda s: (s,)],
)
def test_a_guidance_whose_map_does_not_fit_is_named(what):
    def modulation(site):
        return modulation_of(site.width, {"mine": (partial(Returns, what), 0.3)})

    with pytest.raises(ValueError, match=r"guidance 'mine' \(Returns\) returned a"):
        couple(*encoders(), adapter=partial(guided_adapter, modulation=modulation))


def test_a_third_tower_is_told_where_to_go():
    visual, audio = encoders()
    with pytest.raises(ValueError, match=r"got \['visual', 'audio', 'text'\].*also_guided_by"):
        paired_by_depth({"visual": visual.sites, "audio": audio.sites, "text": audio.sites})
