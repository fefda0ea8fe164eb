"""Orders of epochs: shared among processes without loss or repetition, and begun in the middle."""

from itertools import chain, groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.source import WorldSource
from crossmodal.training.data_module import DataModule
from crossmodal.training.samplers import EpochShuffle, EvenShare

COUNTS = st.integers(1, 40)


@given(COUNTS, st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_batches_of_all_processes_are_those_of_one_with_a_larger_batch(count, batch_size, processes, epoch):
    def batches(size, **place):
        order = EpochShuffle(range(count), 7, **place)
        order.set_epoch(epoch)
        items = list(order)
        assert len(items) == len(order)
        return [items[start : start + size] for start in range(0, len(items) - size + 1, size)]

    whole = batches(batch_size * processes)
    shares = [batches(batch_size, process=process, processes=processes) for process in range(processes)]
    together = [sorted(chain.from_iterable(parts)) for parts in zip(*shares, strict=True)]
    assert together == [sorted(batch) for batch in whole]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=20), st.integers(0, 3))
def test_items_of_a_group_follow_one_another_and_groups_are_shuffled(groups, epoch):
    order = EpochShuffle(range(len(groups)), 3, groups=groups)
    order.set_epoch(epoch)
    items = [int(index) for index in order]
    assert sorted(items) == [*range(len(groups))]
    names = [group for group, _ in groupby(groups[index] for index in items)]
    assert len(names) == len({*groups})
    for name in names:
        assert [index for index in items if groups[index] == name] == [
            index for index, group in enumerate(groups) if group == name
        ]


def test_groups_stand_in_another_order_in_every_epoch():
    order, seen = EpochShuffle(range(40), 3, groups=[item // 2 for item in range(40)]), set()
    for epoch in range(4):
        order.set_epoch(epoch)
        seen.add(tuple(map(int, order)))
    assert len(seen) == 4


@given(COUNTS, st.integers(0, 40), st.integers(1, 3))
def test_an_epoch_that_goes_on_has_the_rest_and_later_ones_are_whole(count, behind, processes):
    place = {"process": processes - 1, "processes": processes}
    whole, rest = EpochShuffle(range(count), 0, **place), EpochShuffle(range(count), 0, **place)
    rest.go_on(2, behind)
    whole.set_epoch(2)
    assert list(rest) == list(whole)[behind:]  # before `set_epoch` already: workers read ahead
    for order in (whole, rest):
        order.set_epoch(3)
    assert list(rest) == list(whole)


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 5))
def test_held_out_items_are_shared_once_and_in_equally_many_batches(count, batch_size, processes):
    if count < processes:
        with pytest.raises(ValueError, match=f"{count} held-out clips cannot be shared by {processes} processes"):
            EvenShare(range(count), batch_size, process=0, processes=processes)
        return
    shares = [EvenShare(range(count), batch_size, process=each, processes=processes) for each in range(processes)]
    batches = [list(share) for share in shares]
    assert sorted(item for share in batches for batch in share for item in batch) == list(range(count))
    assert {len(share) for share in batches} == {len(shares[0])}
    assert all(1 <= len(batch) <= batch_size + 1 for share in batches for batch in share)
    assert batch_size == 1 or max(len(batch) for share in batches for batch in share) <= batch_size


@pytest.mark.parametrize("workers", [0, 1])
def test_the_data_begins_where_a_run_goes_on(workers):
    def labels(loader):
        return [batch.labels.tolist() for batch in loader]

    whole, rest = (DataModule(WorldSource(batch_size=2, clips=6, workers=each)) for each in (0, workers))
    whole.go_on(1, 0)
    rest.go_on(1, 2)
    assert labels(rest.train_dataloader()) == labels(whole.train_dataloader())[2:]
