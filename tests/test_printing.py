"""What is printed of a model with many equal parts: all that differs, once, in order of execution."""

import re

import pytest
import systems
import torch
from torch import nn

from crossmodal.injection import Encoder
from crossmodal.printing import compact_repr
from crossmodal.site import Site, vector_axes


def encoder(*blocks: nn.Module) -> Encoder:
    sections = {f"blocks.{index}": block for index, block in enumerate(blocks)}
    sites = [Site(name, 4, vector_axes()) for name in ("stem", *sections)]
    return Encoder(nn.Identity(), sections, nn.Identity(), sites)


def pair(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(4, width), nn.Linear(width, 4))


def test_equal_neighbours_are_written_once_under_their_names():
    assert repr(encoder(*(nn.Linear(4, 4) for _ in range(3)), nn.ReLU(), nn.Linear(4, 4, bias=False))) == (
        "Encoder(\n"
        "  tokens x width: 1 x 4\n"
        "  (stem): Identity()\n"
        "  (sections): ModuleDict(\n"
        "    (blocks0, blocks1, blocks2): 3 x Linear(in_features=4, out_features=4, bias=True)\n"
        "    (blocks3): ReLU()\n"
        "    (blocks4): Linear(in_features=4, out_features=4, bias=False)\n"
        "  )\n"
        "  (head): Identity()\n"
        ")"
    )


def test_what_stood_before_is_named_where_it_runs_again():
    lines = repr(encoder(pair(2), nn.ReLU(), pair(2), nn.ReLU(), pair(3), pair(5), pair(2))).splitlines()
    assert [line for line in lines if "blocks" in line] == [
        "    (blocks0): Sequential(",
        "    (blocks1): ReLU()",
        "    (blocks2): Sequential(as blocks0)",
        "    (blocks3): ReLU()",
        "    (blocks4, blocks5): 2 x Sequential(as blocks0, with other numbers)",
        "    (blocks6): Sequential(as blocks0)",
    ]


def test_of_more_than_three_names_the_ends_are_given():
    assert "(blocks0, … blocks4): 5 x ReLU()" in repr(encoder(*(nn.ReLU() for _ in range(5))))


def test_small_entries_of_other_sizes_keep_their_numbers():
    lines = repr(encoder(nn.Linear(4, 4), nn.Linear(4, 5))).splitlines()
    assert "    (blocks1): Linear(in_features=4, out_features=5, bias=True)" in lines


def test_where_nothing_repeats_torch_writes_the_same():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(2)))
    assert compact_repr(model) == repr(model)
    assert compact_repr(nn.Linear(2, 3)) == repr(nn.Linear(2, 3))
    assert compact_repr(nn.ModuleDict()) == "ModuleDict()"


@pytest.fixture(scope="module")
def tiny():
    return systems.tiny()


def test_a_model_is_read_in_a_few_screens(tiny):
    lines = str(tiny).splitlines()
    assert len(lines) < 320
    assert "    steps=9, coupled=8, streams=visual, audio" in lines
    assert any("(stages0_0_attention, … stages0_1_mlp): 4 x Coupler(" in line for line in lines)


@pytest.mark.parametrize("name", ["visual", "audio"])
def test_the_printed_order_is_the_order_of_execution(tiny, name):
    encoder = tiny.coupled.encoder(name)
    executed = []
    hooks = [
        section.register_forward_hook(lambda *_, key=key: executed.append(key))
        for key, section in encoder.sections.items()
    ]
    tiny.score(torch.rand(1, 10, 3, 64, 64), torch.randn(1, 10, 16_000))
    for hook in hooks:
        hook.remove()
    printed = re.findall(r"^    \((\w+)\): ", repr(encoder).partition("(sections)")[2].partition("\n  (head)")[0], re.M)
    assert printed == executed
    assert len(printed) == 9
