"""Equal weights in modules that compute different things have different digests; runs and copies change none."""

import copy
import subprocess
import sys
from functools import partial
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toys import toy_encoder

from crossmodal.injection import architecture_digest, fingerprint


class Windows(NamedTuple):
    """A configuration object."""

    size: int
    shift: tuple[int, int] = (0, 0)


class Block(nn.Module):
    """Settings of every kind, none of which a weight shows."""

    def __init__(self, **settings):
        super().__init__()
        self.layer = nn.Linear(2, 2, bias=False)
        for name, value in settings.items():
            setattr(self, name, value)
        self._seen = None

    def forward(self, stream):
        self._seen = stream
        return self.layer(stream)


SETTINGS = {
    "heads": st.integers(1, 9),
    "epsilon": st.floats(1e-9, 1.0),
    "act": st.sampled_from(
        [torch.relu, torch.tanh, partial(nn.functional.gelu, approximate="tanh"), nn.functional.gelu]
    ),
    "windows": st.builds(Windows, st.integers(1, 3), st.tuples(st.integers(0, 2), st.integers(0, 2))),
    "names": st.lists(st.sampled_from("ab"), max_size=3),
    "mean": st.lists(st.integers(0, 3), min_size=2, max_size=2).map(torch.tensor),
    "dtype": st.sampled_from([torch.float32, torch.float16]),
}


def built(settings):
    torch.manual_seed(0)
    return nn.Sequential(Block(**settings), nn.ReLU())


@given(st.fixed_dictionaries(SETTINGS), st.sampled_from(sorted(SETTINGS)), st.data())
def test_a_setting_that_no_weight_shows_changes_it(settings, name, data):
    other = {**settings, name: data.draw(SETTINGS[name])}
    same = str(other[name]) == str(settings[name]) or other[name] is settings[name]
    one, two = built(settings), built(other)
    assert fingerprint(one) == fingerprint(two)
    assert (architecture_digest(one) == architecture_digest(two)) == same


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (nn.MultiheadAttention(4, 1), nn.MultiheadAttention(4, 2)),
        (nn.LayerNorm(4), nn.LayerNorm(4, eps=1e-3)),
        (nn.GELU(), nn.ReLU()),
        (nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, dilation=2)),
        (nn.Sequential(nn.Dropout(0.1)), nn.Sequential(nn.Identity())),
    ],
)
def test_modules_of_torch(one, two):
    assert architecture_digest(one) != architecture_digest(two)


def test_calls_copies_modes_and_weights_do_not_change_it():
    model = built({"heads": 2})
    before = architecture_digest(model)
    model.eval()(torch.zeros(1, 2))
    model.requires_grad_(False).double()
    assert architecture_digest(model) == architecture_digest(copy.deepcopy(model)) == before
    nn.init.zeros_(model[0].layer.weight)
    assert architecture_digest(model) == before


@pytest.mark.slow  # a process of its own takes seconds to begin
def test_it_is_the_same_in_another_process():
    # names of functions and classes, never addresses; and no order of a set
    code = "from toys import *; from crossmodal.injection import architecture_digest as a; e = toy_encoder(); "
    code += "e.kinds = {'one', 'two', 'three'}; print(a(e))"
    encoder = toy_encoder()
    encoder.kinds = {"one", "two", "three"}
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == architecture_digest(encoder)
