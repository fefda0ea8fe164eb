"""Fast linear layers are applied from outside: they change the class of plain layers, and nothing else."""

import copy
import itertools
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import crossmodal.injection.execution.onednn as onednn
from crossmodal.adapters import guided_adapter
from crossmodal.alignment import LearnedAlignment, learned_alignment
from crossmodal.encoders import swin_v2
from crossmodal.injection import (
    checkpointed,
    fast_linears,
    freeze,
    half_precision,
    plain_linears,
    recomputed,
    side,
)
from crossmodal.injection.execution.fast_linears import FastLinear
from crossmodal.plain import is_plain
from crossmodal.site import Site, grid_axes


class Mine(nn.Linear):
    """A layer of somebody's own."""


@pytest.fixture
def calls(monkeypatch):
    """How often a product went to oneDNN, however small."""
    found = []
    real = onednn.product
    monkeypatch.setattr(onednn, "LARGE", 1)
    monkeypatch.setattr(onednn, "product", lambda *given: found.append(1) or real(*given))
    return found


def test_the_layer_is_one_of_torchs_to_whoever_asks(calls):
    plain = nn.Linear(3, 5)
    layer = fast_linears(copy.deepcopy(plain))
    assert isinstance(layer, nn.Linear)
    assert repr(layer).replace("Fast", "") == repr(plain)
    assert is_plain(layer, nn.Linear)
    input = torch.randn(2, 4, 3)
    torch.testing.assert_close(layer(input), plain(input))
    assert len(calls) == 1


def test_only_plain_layers_change_and_only_their_class():
    model = nn.Sequential(nn.Linear(2, 2), Mine(2, 2), parametrizations.weight_norm(nn.Linear(2, 2)), nn.ReLU())
    before, heard = list(model.parameters()), []
    kinds = [type(layer) for layer in model]
    model[0].register_forward_hook(lambda *_: heard.append(1))
    keys = model.state_dict().keys()
    assert fast_linears(fast_linears(model)) is model
    assert [type(layer) for layer in model] == [FastLinear, *kinds[1:]]
    assert all(one is other for one, other in zip(model.parameters(), before, strict=True))
    assert model.state_dict().keys() == keys
    model(torch.randn(3, 2))
    assert heard == [1]
    assert [type(layer) for layer in plain_linears(model)] == kinds


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_fast_too(twin, calls):
    model, input = fast_linears(nn.Sequential(nn.Linear(3, 5))), torch.randn(2, 3)
    assert torch.equal(twin(model)(input), model(input))
    assert len(calls) == 2


def test_a_subclass_of_the_fast_layer_is_somebodys_own():
    class Own(FastLinear):
        def forward(self, input):
            return 2 * super().forward(input)

    assert not is_plain(Own(2, 2), nn.Linear)
    body = Own(3, 3)
    assert type(plain_linears(body)) is Own


def test_the_algebra_of_blocks_goes_by_it(calls):
    """The alignment does not form the aligned guide: of five products three are with weights."""
    align, guide, latents = fast_linears(LearnedAlignment(6, 3, 5, 4)), torch.randn(2, 6, 3), torch.randn(1, 2, 4)
    plain = plain_linears(copy.deepcopy(align))
    torch.testing.assert_close(align.attend(latents, guide), plain.attend(latents, guide))
    assert len(calls) == 3
    torch.testing.assert_close(align.pooled(guide), plain.pooled(guide))
    assert len(calls) == 4


def test_gradients_are_those_of_the_plain_model(calls):
    stream, guide = Site("stream", 16, grid_axes(3, 3)), Site("guide", 6, grid_axes(2, 4))
    torch.manual_seed(0)
    plain = guided_adapter(stream, guide, align=learned_alignment, latents=2)
    nn.init.ones_(plain.bottleneck.finish.gate.scale)
    fast = fast_linears(copy.deepcopy(plain))
    inputs = torch.randn(2, 9, 16), torch.randn(2, 8, 6)
    for adapter in (plain, fast):
        adapter(*inputs).residual.square().sum().backward()
    assert calls
    for one, other in zip(plain.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-5)


def lockstep():
    """Two tiny encoders, coupled, with every gate open."""
    from recipes.dg_sct_released import dg_sct_released

    torch.manual_seed(0)
    encoders = [freeze(swin_v2(32, width=16, depths=(1, 1), heads=(2, 4), window=4, drop_path=0.0)) for _ in range(2)]
    made = dg_sct_released(*encoders)
    for name, parameter in made.couplers.named_parameters():
        if name.endswith("gate.scale"):
            nn.init.ones_(parameter)
    return made


def halved(model):
    for name in model.streams:
        half_precision(model.encoder(name))
    return model


TRANSFORMS = {"checkpointed": checkpointed, "recomputed": recomputed, "side": side, "half precision": halved}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_order_among_other_transforms_does_not_matter(name, calls):
    inputs = {"visual": torch.rand(2, 3, 32, 32), "audio": torch.rand(2, 3, 32, 32)}
    found, fast = [], []
    for transforms in itertools.permutations([fast_linears, TRANSFORMS[name]]):
        model = lockstep()
        for transform in transforms:
            model = transform(model)
        fast.append({name for name, module in model.named_modules() if type(module) is FastLinear})
        streams = model.train()(inputs).streams
        sum(stream.float().square().mean() for stream in streams.values()).backward()
        found.append((streams, {n: p.grad for n, p in model.couplers.named_parameters() if p.grad is not None}))
    assert calls
    assert fast[0] == fast[1] != set()
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def test_compiled_it_is_torchs_own(calls):
    layer, input = fast_linears(nn.Linear(3, 5)), torch.randn(2, 3)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(input), F.linear(input, layer.weight, layer.bias))
    assert not calls
