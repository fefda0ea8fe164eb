"""An adapter like one that fits its sites is not tried again, and one that differs in anything is."""

from functools import partial

import pytest
import torch
from torch import nn
from toys import ToyAdapter

from crossmodal.adapters import Adapted, guided_adapter, own_stream
from crossmodal.encoders.by_name import VisualBackbone
from crossmodal.injection import Encoder, Lockstep, couple, paired_by_depth, validation
from crossmodal.injection.validation import check_adapter_fits, likeness
from crossmodal.site import Site, grid_axes

SITES = {"one": Site("one", 16, grid_axes(2, 2)), "other": Site("other", 16, grid_axes(2, 3))}


class Sized(nn.Module):
    """Gives a residual of a width that no weight tells."""

    def __init__(self, width, how=None):
        super().__init__()
        self.width, self.how = width, how

    def forward(self, stream, guide):
        tried.append(self)
        return Adapted(stream.new_zeros(*stream.shape[:2], self.width), {})


tried: list[nn.Module] = []


@pytest.fixture(autouse=True)
def afresh():
    tried.clear()
    validation._fitting.clear()


def check(adapter):
    check_adapter_fits(0, ("other", "one"), adapter, SITES)


def test_the_like_of_one_that_fits_is_not_tried_again():
    for _ in range(3):
        check(Sized(16))
    assert len(tried) == 1
    check_adapter_fits(0, ("one", "one"), Sized(16), SITES)  # another guide
    assert len(tried) == 2


def test_one_that_does_not_fit_is_refused_every_time_also_beside_one_that_does():
    check(Sized(16))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"adapter other → one of step 0 does not fit a stream of 4 tokens"):
            check(Sized(17))


@pytest.mark.parametrize("how", [lambda: 1, [torch.relu, lambda: 1], ToyAdapter, {"a": 1}, partial(print, 1)])
def test_what_it_holds_tells_it_apart_whatever_it_is(how):
    check(Sized(16))
    check(Sized(16, how))
    assert len(tried) == 2


def test_a_hook_or_a_closure_may_do_anything():
    hooked, number = Sized(16), 4
    hooked.register_forward_hook(lambda *_: None)
    assert likeness(hooked) is likeness(Sized(16, lambda: number)) is likeness(Sized(16, [nn.ReLU().forward])) is None
    for _ in range(2):
        check(hooked)
    assert len(tried) == 2


def test_the_default_adapter_is_told_apart_by_its_numbers_and_its_control():
    stream, guide = SITES.values()

    def built(factory=guided_adapter, **keywords):
        return likeness(partial(factory, **keywords)(stream, guide))

    assert built(latents=2) == built(latents=2) is not None
    keys = {built(latents=2), built(latents=3), built(own_stream(guided_adapter)), built(latents=0)}
    assert len(keys) == 4


def _cut():
    sites = [Site("stem", 4, grid_axes(1, 1)), Site("one", 4, grid_axes(1, 1))]
    return Encoder(nn.Identity(), {"one": nn.Identity()}, nn.Identity(), sites)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        ("swin_v2_l", r"got the text 'swin_v2_l': visual_backbone\('swin_v2_l'\).encoder"),
        (nn.Linear(4, 4), "got an object of type Linear: cut a model of your own by sections_of"),
        (VisualBackbone(_cut(), 4, 8, (0, 0, 0), (1, 1, 1)), "got an object of type VisualBackbone: .* audio.encoder"),
    ],
)
def test_what_is_no_encoder_is_refused_by_name(encoder, words):
    with pytest.raises(TypeError, match=f"couple: audio must be an Encoder.*{words}"):
        couple(_cut(), encoder, adapter=ToyAdapter, pairing=paired_by_depth)
    with pytest.raises(TypeError, match=f"Lockstep: audio must be an Encoder.*{words}"):
        Lockstep({"visual": _cut(), "audio": encoder}, steps=(), couplers={})
