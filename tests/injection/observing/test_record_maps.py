"""All maps by the names of their modules, and nothing else: outputs and gradients stay what they are, bit for bit."""

import contextlib
from functools import partial

import pytest
import torch
from third_party import PICTURE, SOUND, Whisper, inject, vit
from torch import nn
from toys import ToyAdapter, toy_encoder

from crossmodal.adapters import Adapted, Bottleneck, Modulation, guided_adapter
from crossmodal.guidance import ChannelGuidance
from crossmodal.injection import Lockstep, checkpointed, couplers_for, paired_as_released, record_maps

guided = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))


def lockstep(factory=guided):
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder((1, 1)), "audio": toy_encoder((1, 1), width=6)}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_released(sites)
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, factory))
    for name, parameter in model.couplers.named_parameters():
        if name.endswith(("scale", "gate")):
            nn.init.constant_(parameter, 0.3)
    return model


def inputs(frames=3):
    random = torch.Generator().manual_seed(1)
    return {name: torch.randn(frames, 8, 3, generator=random) for name in ("visual", "audio")}


def flat(maps):
    return {
        f"couplers.{coupler}.{'_'.join(edge)}.{name}": values
        for coupler, by_edge in maps.items()
        for edge, named in by_edge.items()
        for name, values in named.items()
    }


def trained_a_step(model, context):
    """Outputs and gradients of one training step inside a context."""
    torch.manual_seed(2)
    with context as maps:
        out = model(inputs())
        sum(stream.sin().sum() for stream in out.streams.values()).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return out, gradients, maps


@pytest.mark.parametrize("build", [lockstep, lambda: checkpointed(lockstep())], ids=["plain", "checkpointed"])
def test_every_map_is_recorded_and_nothing_changes_bit_for_bit(build):
    """In training mode: a statistic of batch norm that was taken twice would show in the next step."""
    alone, plain = trained_a_step(build(), contextlib.nullcontext()), build()
    out, gradients, maps = trained_a_step(plain, record_maps(plain))
    assert alone[1].keys() == gradients.keys()
    assert all(torch.equal(alone[1][name], gradient) for name, gradient in gradients.items())
    assert all(torch.equal(alone[0].streams[name], stream) for name, stream in out.streams.items())
    expected = flat(out.maps)
    assert list(maps) == list(expected)
    assert any(name.endswith(".audio_visual.spatial") for name in maps)
    for name, values in maps.items():
        assert torch.equal(values, expected[name])
        assert not values.requires_grad


def test_names_are_those_of_modules_wherever_the_lockstep_stands():
    model = nn.ModuleDict({"whole": nn.ModuleDict({"coupled": lockstep(ToyAdapter)})})
    with record_maps(model) as maps:
        model["whole"]["coupled"](inputs())
    for name in maps:
        module, _, kind = name.rpartition(".")
        assert isinstance(model.get_submodule(module), ToyAdapter)
        assert kind == "spatial"
    assert "whole.coupled.couplers.stages0_0_attention.audio_visual.spatial" in maps


def test_an_injected_model_gives_its_maps():
    torch.manual_seed(0)
    model = inject(vit().eval(), PICTURE[..., :32], {"encoder.layers.*.mlp": Whisper})
    with record_maps(model) as maps, model.recording() as own:
        out = model(PICTURE[..., :32], guide=SOUND)
    assert torch.equal(out, model(PICTURE[..., :32], guide=SOUND))
    assert set(maps) == {f"adapters.encoder_layers_encoder_layer_{at}_mlp.channel" for at in range(2)}
    for name, made in own.items():
        assert torch.equal(maps[f"adapters.{name.replace('.', '_')}.channel"], made["channel"])


class Alone(nn.Module):
    """A model of one's own with a modulation in it, and an adapter that is no coupler's."""

    def __init__(self):
        super().__init__()
        self.modulation = Modulation({"channel": (ChannelGuidance(4, 4), 0.3)})
        self.mine = Mine()

    def forward(self, stream):
        return self.mine(self.modulation(stream, stream.mean(1)).stream, stream)


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = Modulation({"channel": (ChannelGuidance(4, 4), 0.3)})

    def forward(self, stream, guide) -> Adapted:
        return Adapted(*self.inside(stream, guide.mean(1)))


def test_modulations_and_adapters_of_ones_own_are_found():
    """What lies within an adapter is the adapter's, and is named once."""
    model, stream = Alone(), torch.randn(2, 3, 4)
    with record_maps(model) as maps:
        model(stream)
    assert list(maps) == ["modulation.channel", "mine.channel"]
    with record_maps(model.modulation) as maps:
        model.modulation(stream, stream.mean(1))
    assert list(maps) == ["channel"]


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_contexts_nest_and_leave_no_trace_after_an_error_either():
    model = lockstep(ToyAdapter)

    def broken():
        with record_maps(model) as inner:
            model(inputs())
            raise KeyError(len(inner))

    with record_maps(model) as outer, pytest.raises(KeyError):
        broken()
    assert hooks(model) == 0
    assert len(outer) == len(flat(model(inputs()).maps))
    before = dict(outer)
    model(inputs(frames=2))
    assert outer == before


def test_of_several_forwards_the_last_stays_and_a_device_may_be_given():
    model = lockstep(ToyAdapter)
    with record_maps(model, device="cpu") as maps:
        model(inputs())
        model(inputs(frames=2))
    assert {len(values) for values in maps.values()} == {2}
    with record_maps(model, device="meta") as maps:
        model(inputs())
    assert {values.device.type for values in maps.values()} == {"meta"}


def test_nothing_to_record_is_no_error():
    with record_maps(nn.Linear(2, 2)) as maps:
        pass
    assert maps == {}


def test_a_compiled_model_is_refused_in_words():
    model = torch.compile(lockstep(ToyAdapter))
    words = r"record_maps: '_orig_mod.couplers.*visual_audio' lies in a compiled model.*as it was before torch.compile"
    with pytest.raises(ValueError, match=words), record_maps(model):
        pass
    inside = lockstep(ToyAdapter)
    inside.couplers["stages0_0_attention"].compile()
    with pytest.raises(ValueError, match=r"compiled 'couplers.stages0_0_attention'"), record_maps(inside):
        pass
    encoder_alone = lockstep(ToyAdapter)
    encoder_alone.encoders["visual"].compile()
    with record_maps(encoder_alone):  # hooks run where nothing above them is compiled
        pass
