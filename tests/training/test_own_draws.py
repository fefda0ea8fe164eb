"""Dropout by name: a part draws alike in a step whatever the others draw, also when it is computed again."""

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from crossmodal.adapters import Adapted
from crossmodal.injection import Coupler
from crossmodal.training.own_draws import OwnDraws


class Dropping(nn.Module):
    """An adapter with dropout, which remembers its masks; with a rate of zero it draws nothing."""

    def __init__(self, rate: float = 0.5):
        super().__init__()
        self.rate, self.masks = rate, []

    def forward(self, stream: Any, guide: Any) -> Adapted:
        residual = nn.functional.dropout(torch.ones_like(stream), self.rate) if self.rate else stream
        self.masks.append(residual)
        return Adapted(residual * stream, {})


class Small(nn.Module):
    """A coupler, computed again for the backward where asked for, and a head with dropout."""

    def __init__(self, edges, *, again=False):
        super().__init__()
        self.coupler, self.head, self.again = Coupler(edges), nn.Dropout(0.5), again

    def forward(self, streams):
        run = (lambda given: checkpoint(self.coupler, given, use_reentrant=False)) if self.again else self.coupler
        return self.head(sum(run(streams).residuals.values(), torch.ones(4, 3, 8)))


def stepped(edges, *, again=False, steps=2):
    """Outputs and gradients of steps of a small system under the callback, and the draw behind each."""
    system, own = Small(edges, again=again).train(), OwnDraws()
    own.attach(system)
    torch.manual_seed(0)
    found = []
    for _ in range(steps):
        streams = {name: torch.ones(4, 3, 8, requires_grad=True) for name in ("a", "b")}
        outputs = system(streams)
        outputs.sum().backward()
        found.append((outputs != 0, streams["b"].grad, torch.rand(1)))
    own.detach()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in system.modules())
    return found


def test_what_an_adapter_draws_moves_no_one_elses_masks():
    first, second = Dropping(), Dropping()
    both = stepped({("a", "b"): first, ("b", "a"): second})
    alone = Dropping()
    one = stepped({("a", "b"): alone})
    none = stepped({("a", "b"): Dropping(0)})
    assert all(map(torch.equal, first.masks, alone.masks))
    for step in range(2):
        assert torch.equal(both[step][0], one[step][0])
        assert torch.equal(one[step][0], none[step][0])
        assert torch.equal(both[step][2], none[step][2])
    assert not torch.equal(first.masks[0], first.masks[1])
    assert not torch.equal(first.masks[0], second.masks[0])
    assert not torch.equal(both[0][0], both[1][0])


def test_an_adapter_in_two_places_draws_anew_in_each():
    shared = Dropping()
    stepped({("a", "b"): shared, ("b", "a"): shared}, steps=1)
    assert not torch.equal(*shared.masks)


def test_what_is_computed_again_draws_the_same():
    plain, again = Dropping(), Dropping()
    expected, found = stepped({("a", "b"): plain}), stepped({("a", "b"): again}, again=True)
    assert [len(plain.masks), len(again.masks)] == [2, 4]
    for (outputs, gradient, _), (theirs, their_gradient, _) in zip(expected, found, strict=True):
        assert torch.equal(outputs, theirs)
        assert torch.equal(gradient, their_gradient)
    assert torch.equal(again.masks[0], again.masks[1])


def test_in_evaluation_it_draws_nothing():
    system, own = Small({("a", "b"): Dropping(0)}).eval(), OwnDraws()
    own.attach(system)
    before = torch.get_rng_state()
    system({name: torch.ones(4, 3, 8) for name in ("a", "b")})
    assert torch.equal(before, torch.get_rng_state())
