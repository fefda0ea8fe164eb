"""Equal weights in modules that compute different things have different digests; runs and copies change none."""

import copy
import datetime
import operator
import re
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toys import toy_encoder

from crossmodal.encoders.by_name import visual_backbone
from crossmodal.injection import architecture_digest, fingerprint, sections_of


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


class Slots:
    """A configuration object without a `__dict__`."""

    __slots__ = ("_seen", "size")

    def __init__(self, size):
        self.size = size

    def scaled(self, stream):
        return self.size * stream


def scaled_by(factor, *, by=1):
    def scaled(stream, by=by):
        return factor * by * stream

    return scaled


def nested(value, depth=9):
    """Objects of which the innermost lies deep: in a list, in a dictionary, in a tuple, and again."""
    return value if not depth else ([value], {"key": nested(value, depth - 1)})


class Holder:
    """An object that holds another one."""

    def __init__(self, held):
        self.held = held


def holding(value, depth):
    return Holder(holding(value, depth - 1)) if depth else value


KINDS = {
    "array": lambda size: np.full((2, 2), size, np.float32),
    "array of bytes in another order": lambda size: np.arange(4).reshape(2, 2)[:, :: 2 * size - 3],
    "shape": lambda size: np.zeros((size, 12 // size), bool),
    "dtype of an array": lambda size: np.zeros(3, ["i4", "u4", "f4"][size]),
    "array of objects": lambda size: np.array([None, size, (size,)], object),
    "masked": lambda size: np.ma.masked_array([1, 2, 3], np.arange(3) < size),
    "record": lambda size: np.array([(1, size)], [("one", "i4"), ("two", "f8")]),
    "scalar": lambda size: np.int64(size),
    "flag": lambda size: np.bool_(size - 1),
    "long": lambda size: np.longdouble(size),
    "slice": lambda size: slice(0, size),
    "path": lambda size: PurePosixPath(f"weights/{size}"),
    "slots": Slots,
    "fraction": lambda size: Fraction(1, size),
    "decimal": lambda size: Decimal(size),
    "date": lambda size: datetime.date(2026, 1, size),
    "pattern": lambda size: re.compile("a" * size),
    "item": lambda size: operator.itemgetter(size),
    "dtype": lambda size: np.dtype(f"f{4 * size}"),
    "layout": lambda size: (torch.contiguous_format, torch.channels_last)[size - 1],
    "key": lambda size: {(size, 1): 1},
    "numbers": lambda size: ({1, 23}, {12, 3})[size - 1],
    "deep": nested,
    "deep object": lambda size: holding([[size]], 4),
    "method": lambda size: Slots(size).scaled,
    "method of a dictionary": lambda size: {1: size}.get,
    "closure": scaled_by,
    "default": lambda size: scaled_by(1, by=size),
    "lambda": lambda size: (lambda stream: 2 * stream, lambda stream: 3 * stream)[size - 1],
    "lambda in a lambda": lambda size: (lambda x: lambda y: y + 1, lambda x: lambda y: y + 2)[size - 1],
    "function of torch": lambda size: (nn.functional.max_pool1d, nn.functional.max_pool2d)[size - 1],
}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_of_any_kind_count_by_their_content(kind):
    one, again, other = (built({"setting": KINDS[kind](size)}) for size in (1, 1, 2))
    assert architecture_digest(one) == architecture_digest(again) != architecture_digest(other)


LEAVES = st.integers(0, 2) | st.sampled_from("ab") | st.integers(0, 2).map(np.int8)


@given(*[st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2).map(tuple) | st.lists(inner, max_size=2))] * 2)
def test_containers_count_however_deep_they_are(one, two):
    first, second = (architecture_digest(built({"setting": setting})) for setting in (one, two))
    assert (first == second) == (repr(one) == repr(two))
    assert architecture_digest(built({"setting": copy.deepcopy(one)})) == first


def test_a_setting_may_hold_itself():
    loops = [[size] for size in (1, 1, 2)]
    for loop in loops:
        loop.append(loop)
    one, again, other = (architecture_digest(built({"setting": loop})) for loop in loops)
    assert one == again != other


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda _: threading.Lock(), r"0\.setting is or holds a _thread\.lock, which has no content that"),
        (lambda size: np.random.default_rng(size), r"0\.setting .*Generator, which has no content that is the same"),
        (lambda size: holding(size, 6), r"0\.setting .*Holder, which lies in more than 4 objects"),
    ],
)
def test_what_counts_by_its_type_alone_is_named(made, words):
    """Its digest is the same in every process, so that caches are found again."""
    digests = set()
    for size in (1, 2):
        with pytest.warns(UserWarning, match=words):
            digests.add(architecture_digest(built({"setting": made(size)})))
    assert len(digests) == 1


def test_caches_of_earlier_versions_stay_valid():
    """Digests by the version of 28 November 2026, which described four levels and no arrays."""
    settings = {"heads": 2, "windows": Windows(2, (0, 1)), "act": partial(nn.functional.gelu, approximate="tanh")}
    settings |= {
        "names": ["a"],
        "mean": torch.tensor([1.0]),
        "dtype": torch.float16,
        "kinds": {"a", "b"},
        "by": {"a": 1},
    }
    expected = "c2f021ae5c9f828876b1d015e6b662ff2c07c2c24aba8ea972b94d3285f1e57b"
    assert architecture_digest(Block(**settings)) == expected


@pytest.mark.skipif(
    not torch.__version__.startswith("2.14."), reason="what torch's own layers say of themselves is another"
)
def test_caches_of_encoders_of_earlier_versions_stay_valid():
    known = {
        "8625b60b0f5e330d7f99089e4a345a11c5d4927ea785b27028e6d2c358ceb9d7": toy_encoder(),
        "3dbce7d88d8cfdba74072bbcd9721d06d20443e82cbc76be15c3ad9ebfebf173": visual_backbone("tiny").encoder,
    }
    for digest, module in known.items():
        assert architecture_digest(module) == digest


class Difference(nn.Module):
    """The difference of two layers, either way round, and a block."""

    def __init__(self, turned):
        super().__init__()
        self.one, self.two, self.block = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(4, 4)
        self.turned = turned

    def forward(self, stream):
        one, two = self.one(stream), self.two(stream)
        return self.block(two - one if self.turned else one - two)


def test_how_the_calls_of_a_traced_encoder_are_wired_counts():
    """Which module a call is of, and what it takes, lies five levels deep."""
    encoders = []
    for turned in (False, False, True):
        torch.manual_seed(0)
        encoders.append(sections_of(Difference(turned), "block", torch.randn(2, 5, 3)))
    assert len({fingerprint(encoder) for encoder in encoders}) == 1
    one, again, other = map(architecture_digest, encoders)
    assert one == again != other


@pytest.mark.slow  # a process of its own takes seconds to begin
def test_it_is_the_same_in_another_process():
    # names of functions and classes, never addresses; and no order of a set
    code = "from toys import *; from crossmodal.injection import architecture_digest as a; e = toy_encoder(); "
    code += f"from {__name__} import KINDS; "
    code += "e.kinds = {'one', 'two', 'three'}; "
    code += "e.settings = {kind: made(1) for kind, made in KINDS.items()}; print(a(e))"
    encoder = toy_encoder()
    encoder.kinds, encoder.settings = {"one", "two", "three"}, {kind: made(1) for kind, made in KINDS.items()}
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2]), *sys.path]!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == architecture_digest(encoder)
