"""Names that do not exist, have the wrong form or would be taken for another are refused in words, wherever given."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.injection import (
    Coupler,
    Encoder,
    Lockstep,
    Step,
    also_guided_by,
    checkpointed,
    couple,
    couplers_for,
    paired_as_paper,
    recomputed,
    sections_of,
    side,
    without_guide,
)
from crossmodal.site import Site

names = st.text("ab_", min_size=1, max_size=3)


def lockstep(**options):
    return couple(toy_encoder((1, 1)), toy_encoder((1, 1), width=6), adapter=ToyAdapter, **options)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([["audio", "visual"]], r"edge \['audio', 'visual'\] must be a tuple of two names"),
        ([("audio", "")], r"edge \('audio', ''\) must be a tuple of two names"),
        ([("audio",)], r"edge \('audio',\) must be a tuple of two names"),
        ([("audio", "visual", "text")], r"must be a tuple of two names"),
        ([("audio", 1)], r"must be a tuple of two names"),
        ([("audio", "vision")], r"edge \('audio', 'vision'\) names 'vision', the streams are \['visual', 'audio'\]"),
        ([("audio", "audio")], r"no step has the edge \('audio', 'audio'\); the steps have \[\('audio', 'visual'\)"),
        (
            ("audio", "visual"),
            r"edges=\('audio', 'visual'\) must be a tuple of edges: write \(\('audio', 'visual'\),\)",
        ),
        ("audio", r"edges='audio' must be a tuple of edges"),
        ({"audio": "visual"}, r"edges=\{'audio': 'visual'\} must be a tuple of edges"),
        (3, r"edges=3 must be a tuple of edges"),
    ],
)
def test_an_edge_that_no_step_has_is_refused(edges, words):
    """Before, it was dropped: a coupler without adapters, and the row of an ablation that is the unguided model."""
    with pytest.raises(ValueError, match=f"couplers_for: .*{words}"):
        lockstep(edges=edges)


def test_edges_that_exist_are_kept_in_any_collection():
    one = ("audio", "visual")
    for edges in ([one], (one,), {one}):
        assert all(coupler.edges == (one,) for coupler in lockstep(edges=edges).couplers.values())
    assert all(coupler.edges == () for coupler in lockstep(edges=()).couplers.values())


@given(st.lists(st.tuples(names, names), min_size=2, max_size=4, unique=True))
def test_every_edge_has_an_adapter_of_its_own_or_is_refused(edges):
    adapters = {edge: nn.Identity() for edge in edges}
    if len({"_".join(edge) for edge in edges}) == len(edges):
        assert len(list(Coupler(adapters).children())) == len(edges)
    else:
        with pytest.raises(ValueError, match=r"Coupler: the edges .* share the key .*: rename a stream"):
            Coupler(adapters)


@pytest.mark.parametrize("edge", [("add", "module"), ("a.b", "c"), ("load", "state_dict")])
def test_a_key_that_a_module_cannot_have_is_refused(edge):
    with pytest.raises(ValueError, match=r"which a module cannot have: rename"):
        Coupler({edge: nn.Identity()})


@pytest.mark.parametrize("edge", [["audio", "visual"], "audio", ("audio", "")])
def test_edges_of_another_form_are_refused_by_whatever_takes_one(edge):
    with pytest.raises(ValueError, match="must be a tuple of"):
        Step({"visual": ()}, coupler="one", edges=edge if isinstance(edge, str) else (edge,))
    if not isinstance(edge, str):
        with (
            pytest.raises(ValueError, match=r"without_guide: edge .* must be a tuple of two names"),
            without_guide(lockstep(), edge),
        ):
            pass
    if not isinstance(edge, list):
        with pytest.raises(ValueError, match=r"Coupler: edge .* must be a tuple of two names"):
            Coupler({edge: nn.Identity()})


def test_an_edge_is_found_by_its_names_and_not_by_its_key():
    """The key of `("a", "b_c")` is that of `("a_b", "c")`."""
    encoders = {name: toy_encoder((1,)) for name in ("a_b", "c")}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_paper(sites)
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, ToyAdapter))
    with without_guide(model, ("a_b", "c")) as found:
        assert found
        assert {name.rpartition(".")[2] for name in found} == {"a_b_c"}
    with pytest.raises(ValueError, match=r"\('a', 'b_c'\) names no adapter"), without_guide(model, ("a", "b_c")):
        pass


def test_steps_of_another_form_are_refused():
    with pytest.raises(
        ValueError, match=r"Step: sections\['visual'\]='mlp' must be a tuple of names: write \('mlp',\)"
    ):
        Step({"visual": "mlp"})
    for coupler in ("", "stages.0"):
        with pytest.raises(ValueError, match=f"Step: coupler='{coupler}' must be a name without dots, or None"):
            Step({}, coupler=coupler)


def test_steps_that_name_what_does_not_exist_are_refused():
    sites = {"visual": toy_encoder((1,)).sites, "audio": toy_encoder((1,)).sites}
    with pytest.raises(KeyError, match=r"stream 'vision' does not exist; nearest: 'visual'"):
        couplers_for([Step({"vision": ("stages.0.0.mlp",)}, coupler="one")], sites, ToyAdapter)
    with pytest.raises(KeyError, match=r"stream 'text' does not exist"):
        couplers_for([Step({}, coupler="one", edges=(("text", "visual"),))], sites, ToyAdapter)
    with pytest.raises(KeyError, match=r"site 'stages.0.0.mpl' does not exist; nearest: 'stages.0.0.mlp'"):
        couplers_for([Step({"visual": ("stages.0.0.mpl",)})], sites, ToyAdapter)
    with pytest.raises(KeyError, match=r"also_guided_by: stream 'text' does not exist"):
        also_guided_by(paired_as_paper, "text")(sites)


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        (
            {"visual": "visual", "audio": "audoi"},
            r"streams\['audio'\]='audoi' is none of the encoders \['audio', 'visual'",
        ),
        ({"visual": "visual"}, r"the encoders \['audio'\] have no stream"),
        ({"visual": "visual", "a.b": "audio"}, r"stream 'a.b' must have a name without dots"),
        ({"visual": "visual", "": "audio"}, r"stream '' must have a name without dots"),
    ],
)
def test_streams_that_name_no_encoder_are_refused(streams, words):
    encoders = {"visual": toy_encoder((1,)), "audio": toy_encoder((1,))}
    with pytest.raises(ValueError, match=f"Lockstep: .*{words}"):
        Lockstep(encoders, steps=(), couplers={}, streams=streams)


def test_names_of_a_model_that_do_not_exist_are_told_with_their_neighbours():
    """None of them leaks the error of a tuple or a dictionary."""
    encoder = toy_encoder((1, 1))
    with pytest.raises(KeyError, match=r"section 'stem' does not exist.*the stem starts at no site"):
        encoder.before("stem")
    assert encoder.before("stages.0.0.attention").name == "stem"
    for model in (lockstep(), checkpointed(recomputed(lockstep()))):
        with pytest.raises(KeyError, match=r"stream 'vision' does not exist; nearest: 'visual'"):
            model.encoder("vision")
        with pytest.raises(KeyError, match=r"coupler 'stages0' does not exist; nearest: 'stages"):
            model.couple("stages0", {})
    beside = side(lockstep())
    features = beside.read({name: torch.zeros(1, 8, 3) for name in ("visual", "audio")})
    with pytest.raises(KeyError, match=r"feature 'visul.stem' does not exist; nearest: 'visual.stem'"):
        beside.beside({**features, "visul.stem": features["visual.stem"]})
    for call, inputs in ((beside.read, {}), (beside.beside, features)):
        with pytest.raises(KeyError, match=r"tap 'visual.steam' does not exist; nearest: 'visual.stem'"):
            call(inputs, taps=["visual.steam"])


def test_side_projections_never_share_a_key():
    """Stream `a` over a section `b_merge`, and stream `a_b` over a section `merge`."""

    class Halved(nn.Module):
        def forward(self, stream):
            return stream[:, ::2]

    def encoder(section):
        site = Site("stem", 4, {"token": tuple(range(8))})
        after = Site(section, 4, {"token": tuple(range(4))}, part="merge")
        last = Site("block", 4, {"token": tuple(range(4))})
        first = Site("first", 4, {"token": tuple(range(8))})
        sections = {"first": nn.Identity(), section: Halved(), "block": nn.Identity()}
        return Encoder(nn.Identity(), sections, nn.Identity(), (site, first, after, last))

    encoders = {"a": encoder("b_merge"), "a_b": encoder("merge")}
    steps = (
        Step(dict.fromkeys(encoders, ("first",)), coupler="one"),
        Step({"a": ("b_merge", "block"), "a_b": ("merge", "block")}),
    )
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, ToyAdapter))
    with pytest.raises(ValueError, match=r"shares the key 'a_b_merge' with another: rename a stream"):
        side(model)


def test_modules_whose_keys_are_one_cannot_be_cut_into_one_part():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Module()
            self.a.b_c = nn.Linear(4, 4)
            self.a_b = nn.Module()
            self.a_b.c = nn.Linear(4, 4)
            self.block = nn.Linear(4, 4)

        def forward(self, x):
            return self.block(self.a_b.c(self.a.b_c(x)))

    with pytest.raises(ValueError, match=r"sections_of: 'a_b.c.*' becomes the key 'a_b_c.*' .*: rename a module"):
        sections_of(Model(), "block", torch.randn(2, 5, 4))


def test_one_encoder_given_twice_is_shared():
    encoder = toy_encoder((1, 1))
    model = couple(encoder, encoder, adapter=ToyAdapter)
    assert model.streams == {"visual": "shared", "audio": "shared"}
    assert list(model.encoders) == ["shared"]
