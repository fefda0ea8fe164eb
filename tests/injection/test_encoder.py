"""Encoders: a model as its sections, and sites that tell the truth."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from torch import Tensor, nn
from toys import toy_encoder

from crossmodal.encoders import htsat, swin_v2
from crossmodal.injection import Encoder
from crossmodal.injection.encoder import module_key
from crossmodal.shapes import check_width, shaped
from crossmodal.site import Site, grid_axes
from crossmodal.testing import check_encoder


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Stem(nn.Linear):
    """A stem that names what it does not take."""

    @shaped
    def forward(self, sound: Float[Tensor, "frame token band"]) -> Float[Tensor, "frame token channel"]:
        check_width(self, "sound", sound, self.in_features)
        return super().forward(sound)


def checked(encoder):
    """A toy encoder with such a stem."""
    stem = Stem(3, encoder.sites[0].width)
    sections = dict(zip(encoder.names, encoder.sections.values(), strict=True))
    return Encoder(stem, sections, encoder.head, encoder.sites)


def test_a_toy_keeps_all_laws():
    report = check_encoder(checked(toy_encoder((2, 1))), torch.randn(3, 8, 3))
    assert report.named("not applicable") == ("equals the original",)


def test_swin_keeps_all_laws():
    encoder = swin_v2(32, width=8, depths=(1, 1), heads=(2, 4), window=4)
    check_encoder(encoder, torch.randn(2, 3, 32, 32), original=encoder)


def test_htsat_keeps_all_laws():
    encoder = htsat(64, mels=32, width=8, depths=(1, 1), heads=(2, 4), window=4)
    check_encoder(encoder, torch.randn(2, 61, 32) * 20 - 40)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.booleans(), st.integers(0, 99))
def test_it_is_the_loop_of_its_sections(depths, halves, seed):
    torch.manual_seed(seed)
    encoder, x = toy_encoder(depths, halves=halves), torch.randn(2, 8, 3)
    stream = encoder.stem(x)
    for name in encoder.names:
        assert (stream.shape[1], stream.shape[2]) == (encoder.before(name).tokens, encoder.before(name).width)
        stream = encoder.section(name)(stream)
        assert (stream.shape[1], stream.shape[2]) == (encoder.site(name).tokens, encoder.site(name).width)
    assert torch.equal(encoder(x), encoder.head(stream))


def test_sections_are_registered_once_under_keys_that_read_well():
    encoder = toy_encoder()
    assert list(encoder.sections)[:3] == ["stages0_0_attention", "stages0_0_mlp", "stages0_merge"]
    assert encoder.section("stages.0.0.mlp") is encoder.sections["stages0_0_mlp"]
    assert encoder.site("stem") is encoder.sites[0] is encoder.before("stages.0.0.attention")
    assert module_key("stages.2.5.attention") == "stages2_5_attention"
    keys = [key.split(".")[0] for key in encoder.state_dict()]
    assert set(keys) == {"stem", "sections", "head"}


def test_sites_that_are_not_those_of_the_sections_are_refused():
    sites = [Site("stem", 4, grid_axes(2, 2)), Site("first", 4, grid_axes(2, 2))]
    with pytest.raises(
        ValueError, match=r"Encoder: sites must be named \['stem', 'second'\]… as .*got \['stem', 'first'\]"
    ):
        Encoder(nn.Identity(), {"second": nn.Identity()}, nn.Identity(), sites)


def test_sections_whose_keys_meet_are_refused():
    names = ["a.b.c", "a.b_c"]
    sites = [Site(name, 4, grid_axes(2, 2)) for name in ("stem", *names)]
    with pytest.raises(
        ValueError, match=r"Encoder: two sections share a key; .*\['a\.b\.c', 'a\.b_c'\] must stay diff"
    ):
        Encoder(nn.Identity(), {name: nn.Identity() for name in names}, nn.Identity(), sites)


def test_unknown_names_get_near_misses():
    encoder = toy_encoder()
    with pytest.raises(
        KeyError, match=r"section 'stages\.0\.0\.atention' does not exist; nearest: 'stages\.0\.0\.attention'"
    ):
        encoder.section("stages.0.0.atention")
    with pytest.raises(KeyError, match=r"site 'stemm' does not exist; nearest: 'stem'.*\(of 6\)"):
        encoder.site("stemm")
    with pytest.raises(KeyError, match=r"section 'stages\.7\.0\.mlp' does not exist"):
        encoder.before("stages.7.0.mlp")
