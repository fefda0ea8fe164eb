"""The lockstep: every section once and in order, residuals where the schedule says, errors in words."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toys import Mix, ToyAdapter, toy_encoder

from crossmodal.adapters import Adapted, guided_adapter
from crossmodal.injection import Coupler, Lockstep, Step, couplers_for, paired_as_paper, paired_as_released
from crossmodal.site import Site, grid_axes

PAIRINGS = [paired_as_released, paired_as_paper]


def sites_of(encoders):
    return {name: encoder.sites for name, encoder in encoders.items()}


def lockstep(encoders, *, pairing=paired_as_paper, factory=ToyAdapter, edges=None, **options):
    steps = pairing(sites_of(encoders))
    return Lockstep(
        encoders, steps=steps, couplers=couplers_for(steps, sites_of(encoders), factory, edges=edges), **options
    )


@st.composite
def two_encoders(draw):
    """Encoders whose depths agree or divide, the shallower on either side, halved or whole."""
    torch.manual_seed(draw(st.integers(0, 99)))
    shallow = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    factors = [draw(st.integers(1, 3)) for _ in shallow]
    deep = [depth * factor for depth, factor in zip(shallow, factors, strict=True)]
    depths = draw(st.permutations([shallow, deep]))
    halves = draw(st.booleans())
    return {
        "visual": toy_encoder(depths[0], width=draw(st.integers(2, 4)), tokens=8, halves=halves),
        "audio": toy_encoder(
            depths[1], width=draw(st.integers(2, 4)), tokens=4 * draw(st.integers(1, 3)), halves=halves
        ),
    }


def inputs_for(encoders, frames=3):
    return {name: torch.randn(frames, encoder.sites[0].tokens, 3) for name, encoder in encoders.items()}


@given(two_encoders(), st.sampled_from(PAIRINGS))
def test_every_section_runs_once_and_silent_adapters_change_nothing(encoders, pairing):
    inputs = inputs_for(encoders)
    streams = lockstep(encoders, pairing=pairing)(inputs).streams
    for name, encoder in encoders.items():
        blocks = [section for section in encoder.sections.values() if isinstance(section, Mix)]
        assert [block._calls for block in blocks] == [1] * len(blocks)
        assert torch.equal(encoder.head(streams[name]), encoder(inputs[name]))


@given(two_encoders(), st.sampled_from(PAIRINGS))
def test_the_steps_hold_every_section_in_order(encoders, pairing):
    steps = pairing(sites_of(encoders))
    for name, encoder in encoders.items():
        assert tuple(section for step in steps for section in step.sections.get(name, ())) == encoder.names


def test_the_released_schedule_is_the_released_loop():
    """Block i of 2 meets block 3i + 2 of 6; both residuals are read before the half or block runs."""
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder((6,), width=4), "audio": toy_encoder((2,), width=5)}
    model = lockstep(encoders, pairing=paired_as_released, factory=partial(ToyAdapter, gate=0.5))
    inputs = inputs_for(encoders)
    v, a = (encoders[name].stem(inputs[name]) for name in ("visual", "audio"))
    for block in range(6):
        attention, mlp = (encoders["visual"].section(f"stages.0.{block}.{part}") for part in ("attention", "mlp"))
        if block % 3 != 2:
            v = mlp(attention(v))
            continue
        first = model.couplers[f"stages0_{block}_attention"]
        to_a, to_v = first.visual_audio(a, v).residual, first.audio_visual(v, a).residual
        v = attention(v) + to_v
        for part in ("attention", "mlp"):
            a = encoders["audio"].section(f"stages.0.{block // 3}.{part}")(a)
        a = a + to_a
        second = model.couplers[f"stages0_{block}_mlp"]
        to_a, to_v = second.visual_audio(a, v).residual, second.audio_visual(v, a).residual
        v, a = mlp(v) + to_v, a + to_a
    coupled = model(inputs)
    assert list(model.couplers) == ["stages0_2_attention", "stages0_2_mlp", "stages0_5_attention", "stages0_5_mlp"]
    torch.testing.assert_close(coupled.streams["visual"], v, rtol=0, atol=0)
    torch.testing.assert_close(coupled.streams["audio"], a, rtol=0, atol=0)


def test_the_paper_schedule_guides_three_and_is_guided_by_the_third():
    encoders = {"visual": toy_encoder((6,)), "audio": toy_encoder((2,))}
    steps = paired_as_paper(sites_of(encoders))
    one_way, both = ("audio", "visual"), {("audio", "visual"), ("visual", "audio")}
    assert [set(step.directed) for step in steps] == [{one_way}] * 4 + [both] * 2 + [{one_way}] * 4 + [both] * 2
    assert [len(step.sections["audio"]) for step in steps] == [0, 0, 0, 0, 1, 1] * 2


def test_swapping_the_sides_of_a_symmetric_coupler_swaps_the_outputs():
    torch.manual_seed(0)
    shared, inputs = toy_encoder((2,)), {"one": torch.randn(3, 8, 3), "two": torch.randn(3, 8, 3)}
    sites = {"one": shared.sites, "two": shared.sites}
    steps, couplers = paired_as_paper(sites), {}
    for step in steps:
        adapter = ToyAdapter(shared.sites[0], shared.sites[0], gate=0.7)
        couplers[step.coupler] = Coupler({("one", "two"): adapter, ("two", "one"): adapter})
    model = Lockstep({"shared": shared}, steps=steps, couplers=couplers, streams={"one": "shared", "two": "shared"})
    forth, back = model(inputs).streams, model({"one": inputs["two"], "two": inputs["one"]}).streams
    assert torch.equal(forth["one"], back["two"])
    assert torch.equal(forth["two"], back["one"])
    assert len(list(model.encoders.children())) == 1


def test_an_absent_edge_leaves_that_side_alone():
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    model = lockstep(encoders, factory=partial(ToyAdapter, gate=1.0), edges=(("audio", "visual"),))
    inputs = inputs_for(encoders)
    coupled = model(inputs)
    assert torch.equal(encoders["audio"].head(coupled.streams["audio"]), encoders["audio"](inputs["audio"]))
    assert not torch.equal(encoders["visual"].head(coupled.streams["visual"]), encoders["visual"](inputs["visual"]))
    assert {edge for maps in coupled.maps.values() for edge in maps} == {("audio", "visual")}


@given(two_encoders(), st.sampled_from(PAIRINGS))
def test_taps_hold_the_stream_with_its_residual(encoders, pairing):
    model = lockstep(encoders, pairing=pairing, factory=partial(ToyAdapter, gate=1.0))
    taps = [f"{name}.{encoder.names[-1]}" for name, encoder in encoders.items()] + ["visual.stem"]
    coupled = model(inputs_for(encoders), taps=taps)
    assert set(coupled.taps) == set(taps)
    for name, encoder in encoders.items():
        assert torch.equal(coupled.taps[f"{name}.{encoder.names[-1]}"], coupled.streams[name])


def test_a_tap_at_the_end_of_a_stage_is_what_the_merge_takes():
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    model = lockstep(encoders, pairing=paired_as_released, factory=partial(ToyAdapter, gate=1.0))
    taps = model(inputs_for(encoders), taps=["audio.stages.0.0.mlp", "audio.stages.0.merge"]).taps
    merged = encoders["audio"].section("stages.0.merge")(taps["audio.stages.0.0.mlp"])
    assert torch.equal(merged, taps["audio.stages.0.merge"])


def test_frames_do_not_leak():
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    model = lockstep(encoders, factory=partial(ToyAdapter, gate=1.0)).eval()
    inputs = inputs_for(encoders)
    before = model(inputs).streams
    inputs["audio"][1] += 1
    after = model(inputs).streams
    changed = (before["visual"] != after["visual"]).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


@pytest.mark.slow  # tests/recipes/ave/test_compiled.py compiles a whole system each time
@pytest.mark.parametrize("pairing", [paired_as_released, paired_as_paper])
def test_compiled_whole_equals_eager(pairing):
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder((1, 1)), "audio": toy_encoder((1, 1))}
    model = lockstep(encoders, pairing=pairing, factory=guided_adapter_small).eval()
    inputs = inputs_for(encoders)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")(inputs)
    eager = model(inputs)
    torch.testing.assert_close(compiled.streams, eager.streams)
    torch.testing.assert_close(compiled.maps, eager.maps)


def guided_adapter_small(stream, guide):
    from crossmodal.adapters import Bottleneck

    return guided_adapter(stream, guide, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))


def bad(encoders, change):
    steps = list(paired_as_paper(sites_of(encoders)))
    return lambda: Lockstep(
        encoders, steps=change(steps), couplers=couplers_for(tuple(steps), sites_of(encoders), ToyAdapter)
    )


def test_a_schedule_that_skips_a_section_is_refused():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    skipping = bad(encoders, lambda steps: [Step({"visual": ("stages.0.0.mlp",)}), *steps])
    with pytest.raises(
        ValueError, match=r"step 0 runs section 'stages\.0\.0\.mlp' of visual where 'stages\.0\.0\.attention'"
    ):
        skipping()


def test_a_schedule_that_stops_early_is_refused():
    encoders = {"visual": toy_encoder((1,)), "audio": toy_encoder((1,))}
    steps = [Step({"visual": encoders["visual"].names, "audio": encoders["audio"].names[:1]})]
    with pytest.raises(ValueError, match=r"never run 1 sections of audio, from 'stages\.0\.0\.mlp' on"):
        Lockstep(encoders, steps=steps, couplers={})


def test_a_coupled_merge_is_refused():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    names = {name: encoder.names for name, encoder in encoders.items()}
    steps = (Step(names, coupler="all"),)
    couplers = couplers_for(steps, sites_of(encoders), ToyAdapter)
    with pytest.raises(ValueError, match="goes from 8 tokens of width 4 to 4 of 8: run merges in an uncoupled step"):
        Lockstep(encoders, steps=steps, couplers=couplers)


def test_an_adapter_of_another_width_is_refused_at_construction():
    encoders = {"visual": toy_encoder((1,)), "audio": toy_encoder((1,))}
    wrong = Site("wrong", 9, grid_axes(8, 1))
    with pytest.raises(
        ValueError, match=r"adapter visual → audio of step 0 does not fit a stream of 8 tokens of width 4"
    ):
        lockstep(encoders, factory=lambda stream, guide: ToyAdapter(stream, guide if guide is None else wrong))


def test_a_residual_that_would_broadcast_is_refused():
    class Broadcasting(ToyAdapter):
        def forward(self, stream, guide):
            return Adapted(stream.mean(1, keepdim=True), {})

    encoders = {"visual": toy_encoder((1,)), "audio": toy_encoder((1,))}
    with pytest.raises(ValueError, match=r"its residual is \(2, 1, 4\), the stream \(2, 8, 4\)"):
        lockstep(encoders, factory=Broadcasting)


def test_a_guide_with_another_number_of_frames_is_named():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    inputs = inputs_for(encoders) | {"audio": torch.randn(2, 8, 3)}
    with pytest.raises(
        ValueError, match=r"visual has 3 frames, its guide audio has 2|audio has 2 frames, its guide visual has 3"
    ):
        lockstep(encoders)(inputs)


def test_unknown_inputs_and_taps_are_named():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    with pytest.raises(ValueError, match=r"inputs are given for \['visual'\], the streams are \['audio', 'visual'\]"):
        lockstep(encoders)({"visual": torch.randn(3, 8, 3)})
    with pytest.raises(
        KeyError,
        match=r"tap 'visual\.stages\.0\.0\.atention' does not exist; nearest: 'visual\.stages\.0\.0\.attention'",
    ):
        lockstep(encoders)(inputs_for(encoders), taps=["visual.stages.0.0.atention"])


def test_couplers_that_no_step_names_are_refused():
    encoders = {"visual": toy_encoder((1,)), "audio": toy_encoder((1,))}
    steps = (Step({name: encoder.names for name, encoder in encoders.items()}),)
    with pytest.raises(ValueError, match=r"couplers .* given but not named once are \['extra'\]"):
        Lockstep(encoders, steps=steps, couplers={"extra": Coupler({})})


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_depths_that_do_not_divide_are_refused(pairing):
    with pytest.raises(ValueError, match="stage 0 has 3 and 2 blocks: one must be a multiple of the other"):
        pairing({"visual": toy_encoder((3,)).sites, "audio": toy_encoder((2,)).sites})


def test_state_dict_keys_say_where_a_coupler_sits():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    keys = lockstep(encoders, factory=guided_adapter_small).state_dict()
    assert "couplers.stages0_0_attention.audio_visual.modulation.channel.excite.weight" in keys
    assert sum(key.startswith("encoders.visual") for key in keys) == len(encoders["visual"].state_dict())


def test_modules_are_registered_once():
    encoders = {"visual": toy_encoder(), "audio": toy_encoder()}
    model = lockstep(encoders)
    every = [
        id(module) for _, module in model.named_modules(remove_duplicate=False) if not isinstance(module, nn.ModuleDict)
    ]
    assert len(every) == len(set(every))
