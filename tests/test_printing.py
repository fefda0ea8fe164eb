"""What is printed of a model with many equal parts: all that differs, once."""

from torch import nn

from crossmodal.injection import Encoder
from crossmodal.printing import folded
from crossmodal.site import Site, vector_axes


def encoder(*blocks: nn.Module) -> Encoder:
    sections = {f"blocks.{index}": block for index, block in enumerate(blocks)}
    sites = [Site(name, 4, vector_axes()) for name in ("stem", *sections)]
    return Encoder(nn.Identity(), sections, nn.Identity(), sites)


def test_equal_entries_are_written_once_under_their_names():
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


def test_what_differs_in_numbers_says_where_its_like_stands():
    deep = [nn.Sequential(nn.Linear(4, width), nn.Linear(width, 4)) for width in (2, 2, 3, 5, 5)]
    lines = repr(encoder(*deep)).splitlines()
    assert "    (blocks0, blocks1): 2 x Sequential(" in lines
    assert "    (blocks2, blocks3, blocks4): 3 x Sequential(as blocks0, with other numbers)" in lines
    assert len(lines) == 12


def test_of_more_than_three_names_the_ends_are_given():
    assert "(blocks0, … blocks4): 5 x ReLU()" in repr(encoder(*(nn.ReLU() for _ in range(5))))


def test_small_entries_of_other_sizes_keep_their_numbers():
    lines = repr(encoder(nn.Linear(4, 4), nn.Linear(4, 5))).splitlines()
    assert "    (blocks1): Linear(in_features=4, out_features=5, bias=True)" in lines


def test_where_nothing_repeats_torch_writes_the_same():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(2)))
    assert folded(model) == repr(model)
    assert folded(nn.Linear(2, 3)) == repr(nn.Linear(2, 3))
    assert folded(nn.ModuleDict()) == "ModuleDict()"


def test_a_model_is_read_in_a_few_screens():
    lines = str(tiny()).splitlines()
    assert len(lines) < 320
    assert "    steps=9, coupled=8, streams=visual, audio" in lines
    assert any("(stages0_0_attention, … stages0_1_mlp): 4 x Coupler(" in line for line in lines)
