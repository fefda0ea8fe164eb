"""A modality that is missing guides nothing: from the whole batch, or from some of its frames."""

import copy
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from third_party import Whisper, convnext, inject
from torch import nn
from toys import Mix, ToyAdapter, toy_encoder

from crossmodal.adapters import Adapted, Bottleneck, guided_adapter
from crossmodal.guidance import ClipGuidance
from crossmodal.injection import (
    Coupler,
    Lockstep,
    Step,
    checkpointed,
    couplers_for,
    freeze,
    paired_as_paper,
    record_maps,
)
from crossmodal.injection.missing import ModalityGroup, run_by_groups, scatter

loud = partial(ToyAdapter, gate=0.5)
normed = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))


def lockstep(factory=loud, names=("visual", "audio"), depths=(1, 1)):
    """Two or more streams of other widths, coupled at every half-block, all edges; in float64, so that rows agree."""
    torch.manual_seed(0)
    encoders = {name: freeze(toy_encoder(depths, width=4 + 2 * at)) for at, name in enumerate(names)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_paper(sites) if len(names) == 2 else beside(sites)
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, factory)).double()
    for name, parameter in model.couplers.named_parameters():
        if name.endswith("scale"):
            nn.init.constant_(parameter, 0.3)
    return model


def beside(sites):
    """Every stream runs its sections beside those of the others; merges run uncoupled."""
    steps = []
    for run in zip(*(of[1:] for of in sites.values()), strict=True):
        merges = run[0].part == "merge"
        sections = {name: (site.name,) for name, site in zip(sites, run, strict=True)}
        steps.append(Step(sections, coupler=None if merges else run[0].name.replace(".", "_")))
    return tuple(steps)


def inputs_for(model, frames=5):
    torch.manual_seed(1)
    return {name: torch.randn(frames, 8, 3, dtype=torch.float64) for name in model.streams}


def rows(inputs, kept):
    return {name: None if tensor is None else tensor[kept] for name, tensor in inputs.items()}


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("left", ["visual", "audio"])
@pytest.mark.parametrize("factory", [loud, normed])
def test_where_one_is_missing_the_other_is_its_frozen_encoder_bit_for_bit(left, factory):
    model = lockstep(factory).train()
    inputs = {name: x if name == left else None for name, x in inputs_for(model).items()}
    before = copy.deepcopy(model.state_dict())
    coupled = model(inputs, taps=["visual.stages.0.0.mlp", "audio.stem"])
    encoder = model.encoder(left)
    assert list(coupled.streams) == [left]
    assert torch.equal(encoder.head(coupled.streams[left]), encoder(inputs[left]))
    assert all(not by_edge for by_edge in coupled.maps.values())
    assert [tap.split(".")[0] for tap in coupled.taps] == [left]
    for name, tensor in model.state_dict().items():  # no statistic of any batch norm moved
        assert torch.equal(tensor, before[name])


def test_a_coupler_gives_nothing_along_the_edges_of_what_is_missing():
    one, two = toy_encoder().sites[0], toy_encoder(width=6).sites[0]
    coupler = Coupler({("audio", "visual"): loud(one, two), ("visual", "audio"): loud(two, one)})
    for streams in ({"visual": torch.randn(2, 8, 4)}, {"audio": torch.randn(2, 8, 6)}, {}):
        assert coupler(streams) == ({}, {})


@st.composite
def masks(draw, names=("visual", "audio"), frames=5):
    """Masks under which every frame has something, and something is missing somewhere or nowhere."""
    kept = st.lists(st.sampled_from([names, *((name,) for name in names)]), min_size=frames, max_size=frames)
    drawn = draw(kept)
    return {name: torch.tensor([name in has for has in drawn]) for name in names}


@given(masks())
def test_a_frame_is_what_it_is_alone_with_what_it_has(present):
    model = lockstep().eval()
    inputs = inputs_for(model)
    garbage = {name: x.where(present[name][:, None, None], torch.nan) for name, x in inputs.items()}
    taps = ["audio.stages.0.0.mlp"]
    coupled = model(garbage, present=present, taps=taps)
    for frame in range(5):
        alone = {name: x[frame : frame + 1] if present[name][frame] else None for name, x in inputs.items()}
        expected = model(alone, taps=taps)
        for name, stream in coupled.streams.items():
            close(stream[frame], expected.streams[name][0] if name in expected.streams else 0 * stream[frame])
        for tap, stream in coupled.taps.items():
            close(stream[frame], expected.taps[tap][0] if tap in expected.taps else 0 * stream[frame])
        for coupler, by_edge in coupled.maps.items():
            for edge, named in by_edge.items():
                for name, values in named.items():
                    there = edge in expected.maps[coupler]
                    close(values[frame], expected.maps[coupler][edge][name][0] if there else 0 * values[frame])


@given(masks(names=("visual", "audio", "text")))
def test_three_streams_and_any_of_them_missing(present):
    model = lockstep(names=("visual", "audio", "text")).eval()
    inputs = inputs_for(model)
    streams = model(inputs, present=present).streams
    for frame in range(5):
        alone = model({n: x[frame : frame + 1] if present[n][frame] else None for n, x in inputs.items()}).streams
        for name, stream in alone.items():
            close(streams[name][frame], stream[0])


@pytest.mark.parametrize("wrapped", [lambda model: model, checkpointed])
def test_gradients_and_statistics_are_those_of_the_frames_that_have_both(wrapped):
    """In training, batch norm sees the frames with a guide and no other; what is missing gets no gradient."""
    found = []
    for masked in (True, False):
        model = wrapped(lockstep(normed).train())
        inputs = inputs_for(model)
        has_sound = torch.tensor([True, False, True, True, False])
        if masked:
            inputs["audio"] = inputs["audio"].where(has_sound[:, None, None], torch.inf).requires_grad_()
            streams = model(inputs, present={"audio": has_sound}).streams
            streams["visual"] = streams["visual"][has_sound]
            streams["audio"] = streams["audio"][has_sound]
        else:
            streams = model(rows(inputs, has_sound)).streams
        sum((stream * stream).sum() for stream in streams.values()).backward()
        gradients = {name: p.grad for name, p in model.couplers.named_parameters() if p.grad is not None}
        assert len(gradients) > 20
        found.append((streams, gradients, dict(model.named_buffers())))
        if masked:
            assert not inputs["audio"].grad[~has_sound].any()
            assert inputs["audio"].grad[has_sound].all()
    close(*found)


def test_frames_without_a_guide_send_no_gradient_into_adapters():
    model = lockstep().train()
    has_sound = torch.tensor([True, False, True, True, False])
    streams = model(inputs_for(model), present={"audio": has_sound}).streams
    weights = list(model.couplers.parameters())
    assert not any(
        grad.any() for grad in torch.autograd.grad(streams["visual"][~has_sound].sum(), weights, materialize_grads=True)
    )


def test_where_nothing_is_missing_a_mask_changes_nothing_and_costs_no_second_run():
    model = lockstep().eval()
    inputs, everywhere = inputs_for(model), torch.ones(5, dtype=torch.bool)
    plain = model(inputs)
    blocks = [module for module in model.modules() if isinstance(module, Mix)]
    for present in ({"audio": everywhere}, {"audio": everywhere, "visual": everywhere}, {}):
        before = [block._calls for block in blocks]
        coupled = model(inputs, present=present)
        assert [block._calls for block in blocks] == [calls + 1 for calls in before]
        assert all(torch.equal(stream, plain.streams[name]) for name, stream in coupled.streams.items())


def test_what_is_missing_everywhere_by_mask_is_as_if_not_given():
    model = lockstep().eval()
    inputs, nowhere = inputs_for(model), torch.zeros(5, dtype=torch.bool)
    for known in (inputs, inputs | {"audio": None}):
        coupled = model(known, present={"audio": nowhere})
        assert list(coupled.streams) == ["visual"]
        assert torch.equal(coupled.streams["visual"], model(inputs | {"audio": None}).streams["visual"])


def test_a_frame_without_anything_is_zero():
    model = lockstep().eval()
    has = torch.tensor([True, True, False, True, True])
    streams = model(inputs_for(model), present={"audio": has, "visual": has}).streams
    assert all(not stream[2].any() and stream[has].any() for stream in streams.values())


def test_guidance_over_the_clip_takes_masks_of_whole_clips():
    temporal = partial(guided_adapter, latents=0, modulation=clipwise, bottleneck=lambda width: nn.Linear(width, width))
    model = lockstep(temporal).eval()
    inputs = inputs_for(model, frames=9)
    clips = torch.tensor([True, False, True]).repeat_interleave(3)
    streams = model(inputs, present={"audio": clips}).streams
    close(streams["visual"][3:6], model(rows(inputs, slice(3, 6)) | {"audio": None}).streams["visual"])
    close(streams["visual"][6:], model(rows(inputs, slice(6, 9))).streams["visual"])
    with pytest.raises(ValueError, match=r"present\['audio'\] divides a clip, but guidance .* segments=3: let whole"):
        model(inputs, present={"audio": clips.roll(1)})


def clipwise(stream):
    from crossmodal.adapters import Modulation

    return Modulation({"temporal": (ClipGuidance(stream.width, stream.width, segments=3, hidden=2), 0.5)})


@pytest.mark.parametrize(
    ("change", "present", "message"),
    [
        ({"visual": None, "audio": None}, None, r"every one of \['audio', 'visual'\] is None: at least one"),
        ({}, {"visual": 5 * [False], "audio": 5 * [False]}, "every one of .* is missing from every item"),
        ({}, {"audio": 4 * [True]}, r"present\['audio'\] is of 4 items, the batch has 5"),
        ({}, {"sound": 5 * [True]}, "present: modality 'sound' does not exist; nearest: "),
        ({"audio": None}, {"audio": [True, *4 * [False]]}, r"present\['audio'\] is true 1 times, but audio is None"),
        (
            {"audio": torch.zeros(4, 8, 3)},
            {"visual": 5 * [True]},
            "audio has 4 items, visual has 5: they must be equal",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_in_words(change, present, message):
    model = lockstep()
    masks = None if present is None else {name: torch.tensor(mask) for name, mask in present.items()}
    with pytest.raises((ValueError, KeyError), match=message):
        model(inputs_for(model) | change, present=masks)


@pytest.mark.parametrize("mask", [torch.ones(5), torch.ones(5, 1, dtype=torch.bool)])
def test_a_mask_of_numbers_or_of_another_rank_is_named(mask):
    model = lockstep()
    with pytest.raises(TypeError, match=r"(?s)Lockstep\.forward.*'present'.*Bool\[Tensor, 'frame'\]"):
        model(inputs_for(model), present={"audio": mask})


@pytest.mark.slow
def test_law_10_compiled_without_a_modality_is_one_graph_and_with_a_mask_equals_eager():
    model = lockstep(depths=(1,)).eval()
    inputs, half = inputs_for(model), torch.tensor([True, False, True, True, False])
    torch.compiler.reset()
    whole = torch.compile(model, fullgraph=True, backend="aot_eager")
    for known in (inputs, inputs | {"audio": None}):
        torch.testing.assert_close(whole(known).streams, model(known).streams)
    broken = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(broken(inputs, present={"audio": half}), model(inputs, present={"audio": half}))


def test_frames_without_a_guide_are_those_of_the_injected_model_itself():
    torch.manual_seed(0)
    model, has = convnext().eval(), torch.tensor([True, False, True])
    pictures, guide = torch.randn(3, 3, 32, 64), torch.randn(3, 3, 6)
    guided = inject(model, pictures, {"features.1.*": Whisper})
    garbage = guide.where(has[:, None, None], torch.nan)
    with guided.recording() as maps:
        mixed = guided(pictures, guide=garbage, present=has)
    assert torch.equal(mixed[1], model(pictures)[1])
    torch.testing.assert_close(mixed[has], guided(pictures[has], guide=guide[has]))
    assert [bool(row.any()) for row in maps["features.1.0"]["channel"]] == has.tolist()
    mixed.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in guided.adapters.parameters())
    assert torch.equal(guided(pictures, guide=garbage, present=torch.zeros(3, dtype=torch.bool)), model(pictures))
    everywhere = torch.ones(3, dtype=torch.bool)
    assert torch.equal(guided(pictures, guide=guide, present=everywhere), guided(pictures, guide=guide))
    for wrong in (torch.ones(2, dtype=torch.bool), torch.ones(3)):
        with pytest.raises(ValueError, match=r"Injected: present is .*, but guide has 3 frames: give one bool a frame"):
            guided(pictures, guide=guide, present=wrong)


@given(st.lists(st.sampled_from([(True, True), (True, False), (False, True), (False, False)]), min_size=1, max_size=5))
def test_recorded_maps_are_those_of_the_batch_whatever_is_missing(has):
    """Groups of frames run one after another; a guide on the side makes three streams."""
    model = THREE
    inputs = inputs_for(model, len(has))
    present = {name: torch.tensor(of) for name, of in zip(("audio", "text"), zip(*has, strict=True), strict=True)}
    with record_maps(model) as recorded:
        model(inputs)
        maps = model(inputs, present=present).maps
    expected = {
        f"couplers.{name}.{'_'.join(edge)}.{kind}": values
        for name, of in maps.items()
        for edge, named in of.items()
        for kind, values in named.items()
    }
    assert bool(expected) == any(map(any, has))
    assert all(torch.equal(recorded[name], values) for name, values in expected.items())


THREE = lockstep(names=("visual", "audio", "text"), depths=(1,))


def test_recorded_maps_of_an_injected_model_stand_at_their_frames():
    torch.manual_seed(0)
    has, pictures, guide = torch.tensor([True, False, True]), torch.randn(3, 3, 32, 64), torch.randn(3, 3, 6)
    guided = inject(convnext().eval(), pictures, {"features.1.*": Whisper})
    with guided.recording() as own, record_maps(guided) as maps:
        guided(pictures, guide=guide, present=has)
    assert torch.equal(maps["adapters.features_1_0.channel"], own["features.1.0"]["channel"])


@pytest.mark.parametrize("each", [1, 3])
def test_an_item_may_have_several_frames_and_a_map_none(each):
    """Clips are grouped, and a map is of their seconds; an adapter of one's own may give one map for all frames."""
    adapter, batch = Same(), torch.arange(4.0)[:, None, None, None].expand(4, each, 1, 1)
    groups = [ModalityGroup(("a",), torch.tensor(at)) for at in ([3, 0], [2, 2])]

    def run(group):
        adapter(batch[group.rows].flatten(0, 1), batch)
        return group.rows

    with record_maps(adapter) as maps:
        run_by_groups(groups, 4, run)
    assert maps["own"].unflatten(0, (4, each)).amax((1, 2, 3)).tolist() == [0, 0, 2, 3]
    assert maps["one"].tolist() == [[[1.0]]]


class Same(nn.Module):
    """An adapter whose maps are its stream, and a number."""

    def forward(self, stream, guide) -> Adapted:
        return Adapted(stream, {"own": stream, "one": torch.ones(1, 1, 1)})


def test_united_keeps_what_one_group_alone_has():
    parts = [
        (torch.tensor([2, 0]), {"a": {"x": torch.ones(2, 1)}}),
        (torch.tensor([1]), {"a": {}, "b": {"y": torch.ones(1)}}),
    ]
    assert scatter(parts, 3)["a"]["x"].tolist() == [[1], [0], [1]]
    assert scatter(parts, 3)["b"]["y"].tolist() == [0, 1, 0]
