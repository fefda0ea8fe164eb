"""Objects of Python as words of a command line: what another process can import, and what it cannot, in words."""

import sys
from functools import partial
from types import ModuleType

import pytest
from torch import nn

from crossmodal.adapters import Bottleneck, GateThenNorm, shuffled
from crossmodal.evaluation.arguments import words_of
from crossmodal.guidance import ChannelGuidance


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, ["0.5"]),
        (None, ["null"]),
        (True, ["true"]),
        ("mylab.TopK", ["mylab.TopK"]),
        ([("audio", "visual")], ['[["audio", "visual"]]']),
        ((), ["[]"]),
        (shuffled, ["crossmodal.adapters.controls.shuffled"]),
        (ChannelGuidance, ["crossmodal.guidance.channel.ChannelGuidance"]),
        (partial(ChannelGuidance, reduction=4), ["crossmodal.guidance.channel.ChannelGuidance", "--x.reduction", "4"]),
        (
            partial(Bottleneck, groups=1, finish=GateThenNorm),
            [
                "crossmodal.adapters.bottleneck.Bottleneck",
                *("--x.groups", "1"),
                *("--x.finish", "crossmodal.adapters.bottleneck.GateThenNorm"),
            ],
        ),
    ],
)
def test_values_become_words(value, words):
    assert words_of("--x", value) == ["--x", *words]


class Outer:
    class Inner(nn.Module):
        """Lives in a class."""


def local():
    class Mine(nn.Module):
        """Lives in a function."""

    return Mine


def scripted():
    made = type("Mine", (), {})
    made.__module__ = "__main__"
    return made


def replaced():
    module = sys.modules["mylab_of_tests"] = ModuleType("mylab_of_tests")
    module.Mine, mine = object, type("Mine", (), {})
    mine.__module__ = "mylab_of_tests"
    return mine


def absent():
    made = type("Gone", (), {})
    made.__module__ = "crossmodal.recipes.ave.dg_sct"
    return made


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda width: width, "<lambda> has no name, and every run is a process of its own: put it at the top level"),
        (local(), "local.<locals>.Mine lives in a function, and every run"),
        (scripted(), r"Mine lives in the script or notebook that runs \(__main__\)"),
        (Outer.Inner, "Outer.Inner lives in a class"),
        (replaced(), "mylab_of_tests.Mine is something else than what was given"),
        (absent(), "crossmodal.recipes.ave.dg_sct.Gone cannot be imported: .* has no attribute 'Gone'"),
        (nn.Linear(2, 2), "Linear object is no class or function: give what makes it"),
        (partial(ChannelGuidance, 8), "has arguments without names: give all of them by keyword"),
        (partial(ChannelGuidance, reduction=lambda: 1), "--x.reduction: <lambda> has no name"),
        ({1, 2}, r"\{1, 2\} cannot be given to another process"),
    ],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else "",
)
def test_what_another_process_cannot_have_is_refused(value, message):
    with pytest.raises(ValueError, match=f"--x.*{message}" if not message.startswith("--x") else message):
        words_of("--x", value)
