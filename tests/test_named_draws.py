"""Draws by name: alike beside anything, different from each other, and unseen from outside."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.named_draws import drawn, named_draws, seeded_draws

NAMES = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)


def parts(names, *, seed=0):
    """A linear layer a name, of one whole."""
    torch.manual_seed(seed)
    with named_draws("whole"):
        return {name: drawn(name, nn.Linear, 2, 3).weight for name in names}


@given(NAMES, NAMES, st.integers(0, 9))
def test_a_part_is_drawn_alike_beside_any_others(some, others, seed):
    ours, theirs = parts(some, seed=seed), parts(others, seed=seed)
    after = torch.rand(2)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours.keys() & theirs.keys())
    assert len({tuple(weight.flatten().tolist()) for weight in ours.values()}) == len(ours)
    parts([], seed=seed)
    assert torch.equal(after, torch.rand(2))


def test_two_models_and_two_parts_of_one_name_differ():
    torch.manual_seed(0)
    first, second = (drawn("head", nn.Linear, 2, 3).weight for _ in range(2))
    assert not torch.equal(first, second)
    with named_draws("whole"):
        first, second = (drawn("head", nn.Linear, 2, 3).weight for _ in range(2))
    assert not torch.equal(first, second)


def test_a_seeded_block_leaves_the_generator_as_it_was_and_an_error_does_too():
    torch.manual_seed(3)
    expected, seed = torch.rand(2), 3
    torch.manual_seed(seed)
    with seeded_draws(5):
        inside = torch.rand(2)
    try:
        with seeded_draws(5):
            raise ArithmeticError
    except ArithmeticError:
        pass
    assert torch.equal(torch.rand(2), expected)
    assert torch.initial_seed() == seed
    torch.manual_seed(5)
    assert torch.equal(inside, torch.rand(2))


def test_it_draws_from_the_distribution_of_the_factory():
    weights = torch.cat([drawn("part", nn.Linear, 100, 1).weight for _ in range(100)])
    assert weights.abs().max() <= 0.1
    assert abs(weights.mean()) < 2e-3
    torch.testing.assert_close(weights.std(), torch.tensor(0.1 / 3**0.5), rtol=0.03, atol=0)
