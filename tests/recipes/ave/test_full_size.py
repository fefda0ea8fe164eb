"""Full size is real: the published sizes, counted; the published shapes, traced; and a clip there and back."""

import json
from functools import cache

import pytest
import torch
from golden_numbers import FILE
from systems import full_size

from crossmodal.checkpoints import from_released_adapter, from_released_events, from_released_temporal
from crossmodal.encoders import swin_v2_large
from crossmodal.heads import event_loss, pooling_weights
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish, lavish_shared
from crossmodal.tasks.coupled_system import final_token_maps

RELEASED = {"adapters": 188_538_864, "temporal": 12_071_554, "head": 550_229, "swin": 228_772_549, "htsat": 31_325_143}
"""Parameters of the released model of AVE, what it holds and never uses included."""
GATE_TK = 1
"""The released adapters hold one scalar each that they never use."""
STAGE = [0] * 2 + [1] * 2 + [2] * 6 + [3] * 2
"""The stage of each of the twelve released pairs."""
PARTNER = [0, 1, 0, 1, 2, 5, 8, 11, 14, 17, 0, 1]
"""The Swin block of each pair, inside its stage."""


@cache
def on_meta(recipe):
    with torch.device("meta"):
        return full_size(coupling=recipe)


def count(*modules, trainable=False):
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad or not trainable)


def names(title):
    return json.loads((FILE.parent / f"{title}.json").read_text("utf-8"))


def pair(index, part):
    return f"stages{STAGE[index]}_{PARTNER[index]}_{part}"


def test_the_couplers_have_the_released_size():
    couplers = on_meta(dg_sct_released).coupled.couplers
    assert count(couplers) == RELEASED["adapters"] - 48 * GATE_TK == 188_538_816
    assert list(couplers) == [pair(index, part) for index in range(12) for part in ("attention", "mlp")]


@pytest.mark.parametrize(
    ("stage", "audio", "visual"),
    [(0, 9_501_980, 9_618_484), (1, 825_140, 1_289_380), (2, 957_284, 2_798_932), (3, 3_649_028, 10_982_056)],
)
def test_every_adapter_has_the_released_size(stage, audio, visual):
    couplers = [of for name, of in on_meta(dg_sct_released).coupled.couplers.items() if name[6] == str(stage)]
    assert {count(coupler.visual_audio) + GATE_TK for coupler in couplers} == {audio}
    assert {count(coupler.audio_visual) + GATE_TK for coupler in couplers} == {visual}


def test_the_bodies_of_the_encoders_have_the_released_size():
    visual, audio = on_meta(dg_sct).coupled.encoders.values()
    assert count(visual) == 195_202_932
    assert count(audio.stem, audio.sections) == 27_532_952


def test_the_totals_of_the_released_heads_and_the_couplers_of_each_recipe():
    """461.3 M (43.6 % trained), 374.9 M and 238.8 M by the shapes of layers, classifiers of the encoders included."""
    around = sum(RELEASED.values()) - RELEASED["adapters"]
    trained = {recipe: count(on_meta(recipe).coupled.couplers) + 48 * GATE_TK for recipe in (dg_sct_released, lavish)}
    assert around + trained[dg_sct_released] == 461_258_339
    heads = RELEASED["temporal"] + RELEASED["head"]
    assert round((heads + trained[dg_sct_released]) / (around + trained[dg_sct_released]), 3) == 0.436
    assert round((around + trained[lavish]) / 1e6, 1) == 374.9
    assert round((heads + trained[lavish]) / (around + trained[lavish]), 3) == 0.306


def test_the_published_total_of_one_shared_encoder():
    with torch.device("meta"):
        shared = lavish_shared(swin_v2_large())
        head = torch.nn.Sequential(torch.nn.Linear(3072, 512), torch.nn.Linear(512, 29))
    assert len(shared.couplers) == 2 * 24
    assert round((RELEASED["swin"] + count(shared.couplers, head)) / 1e6, 1) == 238.8


def test_only_the_encoders_are_frozen():
    for recipe in (dg_sct, dg_sct_released, lavish):
        model = on_meta(recipe)
        assert count(model, trainable=True) == count(model.coupled.couplers, model.temporal, model.head)
        assert count(model) == count(model, trainable=True) + count(model.coupled.encoders)


def test_the_shapes_are_those_of_the_published_trace():
    model = on_meta(dg_sct_released)
    visual = [f"visual.stages.{stage}.{last}.mlp" for stage, last in enumerate((1, 1, 17, 1))]
    audio = [f"audio.stages.{stage}.{last}.mlp" for stage, last in enumerate((1, 1, 5, 1))]
    with torch.device("meta"):
        frames, wave = torch.empty(1, 10, 3, 192, 192), torch.empty(1, 10, 32_000)
        heard = model.sound(wave[0])
        coupled = model.run(frames, wave, taps=[*visual, *audio])
        events = model.score(frames, wave)
    assert model.sound.length == 320_000
    assert heard.shape == (10, 1001, 64)
    assert [tuple(coupled.taps[name].shape) for name in visual] == [
        (10, 2304, 192), (10, 576, 384), (10, 144, 768), (10, 36, 1536)
    ]  # fmt: skip
    assert [tuple(coupled.taps[name].shape) for name in audio] == [
        (10, 4096, 96), (10, 1024, 192), (10, 256, 384), (10, 64, 768)
    ]  # fmt: skip
    assert [
        pooling_weights(final_token_maps(coupled, stream)["spatial"]).shape[1] for stream in ("visual", "audio")
    ] == [
        36,
        64,
    ]
    assert [tuple(out.shape) for out in events] == [(1, 10), (1, 28), (1, 28), (1, 10)]


def test_every_trained_tensor_of_the_release_has_its_place_and_every_one_of_ours_is_filled():
    """All 48 adapters by the schedule of the release; of the heads all but what the released code never uses."""
    model, shapes = on_meta(dg_sct_released), names("released_ave_adapters")
    filled = {}
    for index, stage in enumerate(STAGE):
        for part in ("attention", "mlp"):
            for side, edge in (("audio", "visual_audio"), ("vis", "audio_visual")):
                released = blank(shapes[f"{side}.{stage}"])
                place = f"coupled.couplers.{pair(index, part)}.{edge}"
                assert len([name for name in released if "running" not in name and "num_" not in name]) == 32
                filled |= {f"{place}.{name}": tensor for name, tensor in from_released_adapter(released).items()}
    heads = names("head_states")
    temporal, events = blank(heads["ave_temporal_attention"]), blank(heads["ave_cmbs"])
    filled |= {f"temporal.{name}": tensor for name, tensor in from_released_temporal(temporal).items()}
    filled |= {f"head.{name}": tensor for name, tensor in from_released_events(events).items()}
    ours = {name: value.shape for name, value in model.state_dict().items() if ".encoders." not in name}
    ours = {name: shape for name, shape in ours.items() if not name.startswith("sound.")}
    assert {name: tensor.shape for name, tensor in filled.items()} == ours
    assert 48 * 32 + len(temporal) + len(events) == 1728


def blank(shapes):
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.mark.parametrize("recipe", [dg_sct, dg_sct_released, lavish])
def test_built_on_meta_nothing_of_it_takes_memory(recipe):
    assert [name for name, tensor in on_meta(recipe).state_dict().items() if not tensor.is_meta] == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [dg_sct, dg_sct_released])
def test_a_clip_runs_forward_and_backward_on_the_cpu(recipe):
    """Ten seconds at 192² and 32 kHz, in training mode, random weights: about 10 GB and four minutes on two cores."""
    torch.manual_seed(0)
    model = full_size(coupling=recipe).train()
    events = model.score(torch.randn(1, 10, 3, 192, 192), 0.1 * torch.randn(1, 10, 32_000))
    assert all(out.isfinite().all() for out in events)
    event_loss(events, torch.tensor([[28] * 3 + [4] * 5 + [28] * 2])).backward()
    assert [name for name, p in model.coupled.encoders.named_parameters() if p.grad is not None] == []
    trained = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert [name for name, gradient in trained.items() if gradient is None or not gradient.isfinite().all()] == []
    gates = {name: gradient for name, gradient in trained.items() if name.endswith("finish.gate.scale")}
    assert len(gates) == sum(len(coupler.edges) for coupler in model.coupled.couplers.values())
    assert all(gradient.any() for gradient in gates.values())
