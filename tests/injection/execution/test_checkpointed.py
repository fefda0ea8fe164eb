"""A checkpointed lockstep is the plain one in outputs, gradients, statistics and keys, and keeps far less."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from toys import Mix, ToyAdapter, toy_encoder

from crossmodal.adapters import Adapted, Bottleneck, guided_adapter
from crossmodal.injection import Lockstep, checkpointed, couplers_for, fingerprint, freeze, paired_as_released
from crossmodal.ledger import cost

bottleneck = partial(Bottleneck, reduction=2, groups=1)


class Dropping(ToyAdapter):
    """Draws random numbers, and scales by a buffer that it writes: both must be the same in the second run."""

    def __init__(self, stream, guide):
        super().__init__(stream, guide, gate=0.5)
        self.register_buffer("seen", torch.ones(()))

    def forward(self, stream, guide):
        residual, maps = super().forward(stream, guide)
        self.seen = self.seen + stream.detach().abs().mean()
        return Adapted(nn.functional.dropout(residual * self.seen, 0.5), maps)


def lockstep(factory, frozen=True):
    torch.manual_seed(0)
    encoders = {"visual": toy_encoder((1, 3)), "audio": toy_encoder((1, 1), width=6)}
    encoders = {name: freeze(encoder) if frozen else encoder for name, encoder in encoders.items()}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_released(sites)
    model = Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, factory)).double()
    for name, parameter in model.couplers.named_parameters():
        if name.endswith(("scale", "gate")):
            parameter.data.fill_(0.3)
    return model


def inputs(frames=3):
    torch.manual_seed(1)
    return {name: torch.randn(frames, 8, 3, dtype=torch.float64) for name in ("visual", "audio")}


def step(model, taps=("visual.stages.1.1.mlp", "audio.stem")):
    """Outputs, gradients and buffers of one training step, and the random number after it."""
    torch.manual_seed(2)
    coupled = model(inputs(), taps=taps)
    maps = [tensor for by_edge in coupled.maps.values() for named in by_edge.values() for tensor in named.values()]
    ends = [*coupled.streams.values(), *maps, *coupled.taps.values()]
    sum(end.square().sum() for end in ends).backward()
    return {
        "outputs": ends,
        "gradients": {name: p.grad for name, p in model.named_parameters() if p.grad is not None},
        "buffers": dict(model.named_buffers()),
        "random": torch.rand(3),
    }


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("factory", [partial(guided_adapter, latents=2, bottleneck=bottleneck), Dropping])
def test_a_training_step_is_the_same(factory, frozen):
    plain = lockstep(factory, frozen).train()
    saving = checkpointed(copy.deepcopy(plain))
    before = fingerprint(plain.encoders)
    one, other = step(plain), step(saving)
    trained = {name for name, parameter in plain.named_parameters() if parameter.requires_grad and ".head." not in name}
    assert one["gradients"].keys() == trained
    torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-14)
    if frozen:
        assert fingerprint(saving.encoders) == before


def test_statistics_are_counted_once():
    saving = checkpointed(lockstep(partial(guided_adapter, latents=2, bottleneck=bottleneck)).train())
    step(saving)
    step(saving)
    counted = [buffer for name, buffer in saving.named_buffers() if name.endswith("num_batches_tracked")]
    assert len(counted) == 8 * 2
    assert {int(count) for count in counted} == {2}


def test_it_holds_the_very_same_modules_under_the_same_names():
    plain = lockstep(ToyAdapter).eval()
    saving = checkpointed(plain)
    assert list(saving.state_dict()) == list(plain.state_dict())
    assert all(one is other for one, other in zip(plain.parameters(), saving.parameters(), strict=True))
    assert not saving.training


def test_without_gradients_everything_runs_once():
    saving = checkpointed(lockstep(ToyAdapter).eval())
    with torch.no_grad():
        saving(inputs())
    assert {block._calls for block in saving.encoders["visual"].sections.values() if hasattr(block, "_calls")} == {1}


@pytest.mark.slow
def test_compiled_whole_it_equals_eager(monkeypatch):
    monkeypatch.setattr(Mix, "forward", lambda self, stream: stream + self.linear(stream).tanh())  # counts no calls
    model = lockstep(partial(guided_adapter, latents=2, bottleneck=bottleneck)).train()
    eager, saving = step(model), checkpointed(copy.deepcopy(model))
    saving.zero_grad()
    plain = step(torch.compile(saving, fullgraph=True, backend="aot_eager"))
    plain["gradients"] = {name.removeprefix("_orig_mod."): g for name, g in plain["gradients"].items()}
    torch.testing.assert_close(plain["outputs"], eager["outputs"])
    torch.testing.assert_close(plain["gradients"], eager["gradients"])


def test_what_is_kept_are_the_streams_between_the_steps():
    model = lockstep(partial(guided_adapter, latents=2, bottleneck=bottleneck))
    plain, saving = cost(model, inputs()).total, cost(checkpointed(model), inputs()).total
    sites = [(8, 4), (8, 6), *[(4, 8)] * 3, *[(4, 12)] * 2]
    assert saving.saved <= 8 * 3 * 2 * sum(tokens * width for tokens, width in sites) + 1024
    assert saving.saved < plain.saved / 4
    assert saving.forward == plain.forward
    assert plain.backward < saving.backward <= plain.backward + plain.forward
