"""How much one run proves: the interval over its test items, and the sentences on few steps and items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.tasks.task import Row
from crossmodal.training.evidence import FEW_ITEMS, FEW_STEPS, evidence, interval_of


def rows(shares, units=10):
    """So many units an item, a row each; the share of them that is right."""
    return [
        (item, Row(item, float(unit < share * units), 1.0, {}))
        for item, share in enumerate(shares)
        for unit in range(units)
    ]


@given(st.lists(st.integers(0, 10), min_size=1, max_size=8))
def test_the_interval_holds_the_score_and_lies_between_the_items(tenths):
    shares = [tenth / 10 for tenth in tenths]
    score = sum(shares) / len(shares)
    found = interval_of(rows(shares), score)
    assert found["items"] == len(shares)
    assert min(shares) - 1e-9 <= found["low"] <= score + 1e-9
    assert score - 1e-9 <= found["high"] <= max(shares) + 1e-9


def test_an_interval_narrows_with_items():
    few, many = (interval_of(rows([0.2, 0.8] * count), 0.5) for count in (4, 64))
    # the standard error of a mean of n values of ±0.3 is 0.3 / √n
    assert many["high"] - many["low"] == pytest.approx(2 * 1.96 * 0.3 / 128**0.5, rel=0.1)
    assert few["high"] - few["low"] > 3 * (many["high"] - many["low"])


def test_a_score_that_is_no_mean_over_rows_has_no_interval():
    assert interval_of(rows([0.2, 0.8]), 0.3) is None
    assert interval_of([], 0.3) is None
    assert interval_of([(0, Row(0, 0.0, 0.0, {}))], 0.0) is None  # nothing is counted


@pytest.mark.parametrize(("steps", "items"), [(FEW_STEPS, FEW_ITEMS), (FEW_STEPS - 1, FEW_ITEMS), (7, 3)])
def test_few_steps_and_items_are_told(steps, items):
    summary = {"steps": steps, "interval": {"low": 0.4, "high": 0.6, "items": items}, "chance": {"accuracy": 0.5}}
    said = list(evidence(summary, "accuracy"))
    assert said[0].startswith(f"95 % interval of accuracy: 40.0 … 60.0 %, by the bootstrap over {items} test")
    assert said[1] == "chance, 50.0 %, lies within that interval: the run is not shown to be better"
    little = said[2:]
    assert bool(little) == (steps < FEW_STEPS or items < FEW_ITEMS)
    assert all((f"{steps} steps" in line) == (steps < FEW_STEPS) for line in little)


def test_a_summary_of_an_older_version_says_nothing():
    assert list(evidence({"test": {"accuracy": 0.5}}, "accuracy")) == []
