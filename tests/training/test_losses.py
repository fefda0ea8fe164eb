"""Mean losses over batches of any size, whatever terms a batch has."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.training import lightning_module
from crossmodal.training.lightning_module import MeanLosses

BATCHES = st.lists(st.tuples(st.integers(1, 5), st.floats(0, 9, width=32), st.booleans()), min_size=1, max_size=6)


def losses(batches):
    found = MeanLosses()
    for clips, value, shown in batches:
        found.update({"gate": torch.tensor(value), **({"event": torch.tensor(2.0)} if shown else {})}, clips)
    return found


@given(BATCHES)
def test_an_absent_term_counts_as_zero_and_batches_by_their_clips(batches):
    clips, found = sum(count for count, *_ in batches), losses(batches).compute()
    assert found["gate"] == pytest.approx(sum(count * value for count, value, _ in batches) / clips, rel=1e-5, abs=1e-6)
    assert found.get("event", 0.0) == pytest.approx(2.0 * sum(n for n, _, shown in batches if shown) / clips)


def test_processes_need_not_have_seen_the_same_terms(monkeypatch):
    """A process whose clips show no event has no term of the event; a metric of its own would wait for the others."""
    other = ({"gate": 6.0, "event": 3.0}, 3)
    monkeypatch.setattr(lightning_module, "gather_objects", lambda value: [value, other])
    assert losses([(1, 2.0, False)]).compute() == {"gate": 2.0, "event": 0.75}
