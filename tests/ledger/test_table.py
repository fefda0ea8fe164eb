"""The table: every form shows the same numbers, and parts that cost nothing are left out."""

import json

import pytest

from crossmodal.ledger import Cost, ModuleCost
from crossmodal.ledger.table import with_unit

SHARES = {
    "": ModuleCost(),
    "encoder": ModuleCost(2_000_000, 0, 3_000_000_000, 1_000_000_000, 500),
    "encoder.silent": ModuleCost(),
    "adapter": ModuleCost(),
    "adapter.up": ModuleCost(1_500_000, 1_500_000, 2_000_000, 4_000_000, 2_000_000),
}
COST = Cost(SHARES, adapter_file=6_000_000, floor=ModuleCost(2_000_000, 0, 1_000_000_000, 1_003_000_000, 400))


def test_the_table():
    assert str(COST).splitlines() == [
        "part     M parameters  M trained  GFLOP forward  GFLOP backward  MB saved",
        "encoder          2.00       0.00           3.00            1.00      0.00",
        "adapter          1.50       1.50           0.00            0.00      2.00",
        "  up             1.50       1.50           0.00            0.00      2.00",
        "total            3.50       1.50           3.00            1.00      2.00",
        "training step   4.01 GFLOP",
        "adapter file    6.00 MB",
        "floor           2.00 GFLOP, 400 B saved; the step is 2.00 times the floor",
    ]


def test_the_frame_holds_plain_numbers():
    frame = COST.frame(1)
    assert list(frame.index) == ["encoder", "adapter", "total"]
    assert frame.loc["total", "saved"] == 2_000_500


def test_depth_says_how_far_down():
    assert [path for path, _ in COST.rows(1)] == ["encoder", "adapter", "total"]
    assert "  up" not in COST.table(1)


def test_markdown_has_the_cells_of_the_table():
    lines = COST.markdown().splitlines()
    assert [line.strip("-|") for line in lines[1].split("|")[2:-1]] == [":"] * 5  # numbers stand on the right
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells == ["`adapter.up`", "1.50", "1.50", "0.00", "0.00", "2.00"]
    assert lines[-1] == "floor           2.00 GFLOP, 400 B saved; the step is 2.00 times the floor"


def test_the_dictionary_is_plain():
    found = json.loads(json.dumps(COST.as_dict(1)))
    assert found["parts"]["total"] == {
        "parameters": 3_500_000, "trained": 1_500_000, "forward": 3_002_000_000, "backward": 1_004_000_000,
        "saved": 2_000_500,
    }  # fmt: skip
    assert (found["adapter_file"], found["floor"]["step"], found["over_floor"]) == (6_000_000, 2_003_000_000, 2.0)


def test_without_a_floor_none_is_named():
    bare = Cost(SHARES, adapter_file=0)
    assert bare.over_floor is None
    assert "floor" not in str(bare)
    assert bare.as_dict()["floor"] is None


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 "), (999, "999 "), (1000, "1.00 k"), (2_537_000_000_000, "2,537.00 G")]
)
def test_units(number, text):
    assert with_unit(number) == text
