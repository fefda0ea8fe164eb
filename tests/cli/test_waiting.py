"""Threads that wait for each other sleep while others are at work, spin otherwise, and compute the same."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch  # noqa: F401 — loads the library of OpenMP

from crossmodal.cli import waiting
from crossmodal.cli.waiting import ALONE, CROWDED, SET, Crowd, Spent, crowded, spent, waiting_by_load

LINES = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 20 3 5000 600 7 8 9 50 0\ncpu1 200 0 0 900 0 0 0 0 0 0\nintr 5 6\n"


@pytest.mark.parametrize(("ours", "counts"), [({0, 1}, 347), ({0}, 147), ({1}, 200)])
def test_work_is_counted_of_the_processors_that_this_process_may_use_without_idling(
    tmp_path, monkeypatch, ours, counts
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: ours)
    (tmp_path / "stat").write_text(LINES)
    assert spent(tmp_path / "stat").machine == pytest.approx(counts * waiting.TICK)


@pytest.mark.parametrize("text", ["cpu0 a b c\n", "cpux 1 2 3 4 5 6 7 8\n", None])
def test_a_file_that_is_not_understood_says_nothing_or_no_work(tmp_path, text):
    if text is not None:
        (tmp_path / "stat").write_text(text)
    found = spent(tmp_path / "stat")
    assert found is None or found.machine == 0


def test_others_are_what_the_machine_does_beyond_this_process():
    assert Spent(12.0, 103.5, 6.0).others_since(Spent(10.0, 100.0, 4.0)) == pytest.approx(0.75)


def test_what_threads_do_is_kept_up_to_a_clear_difference_and_free_processors_are_for_others():
    between = (ALONE + CROWDED) / 2
    assert not crowded(between, 0, sleeping=False)
    assert crowded(between, 0, sleeping=True)
    assert crowded(CROWDED + 0.01, 0, sleeping=False)
    assert not crowded(ALONE - 0.01, 0, sleeping=True)
    assert not crowded(2.0, 2, sleeping=False)
    assert crowded(2.5, 2, sleeping=False)


@pytest.mark.parametrize(("threads", "processors"), [(2, 2), (2, 4), (4, 4), (8, 16), (16, 16), (3, 8)])
def test_a_crowd_is_more_threads_than_processors_and_no_team_too_many(monkeypatch, threads, processors):
    monkeypatch.setattr(Crowd, "_team", lambda crowd: crowd._end.wait())
    crowd, before = Crowd(), threading.active_count()
    crowd.gather(threads, processors)
    crowd.gather(threads, processors)
    teams = threading.active_count() - before
    managed = threads + teams * (threads - 1)  # the thread that begins a team is not counted
    assert managed > processors >= managed - (threads - 1)
    assert crowd
    crowd.disperse()
    assert threading.active_count() == before
    assert not crowd


@pytest.mark.parametrize("name", SET)
def test_nobody_looks_where_the_user_says_how_threads_wait(monkeypatch, name):
    before = threading.active_count()
    for known in SET:
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv(name, "1")
    with waiting_by_load():
        assert threading.active_count() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the load is read from Linux's files")
def test_a_crowd_comes_and_goes_with_the_load_and_ends_with_the_block(monkeypatch):
    for known in SET:
        monkeypatch.delenv(known, raising=False)
    load = [2.0]
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(Spent, "others_since", lambda _, before: load[0])
    monkeypatch.setattr(Crowd, "_team", lambda crowd: crowd._end.wait())
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    before = threading.active_count()

    def becomes(number):
        until = time.monotonic() + 60
        while threading.active_count() != number and time.monotonic() < until:
            time.sleep(0.01)
        return threading.active_count() == number

    with waiting_by_load():
        for processors, threads in ((2.0, 2), (-1.0, 1), (0.5, 2)):  # the one that looks, and one of a team
            load[0] = processors
            assert becomes(before + threads)
    assert threading.active_count() == before


SPENT = """
import time, torch
from crossmodal.cli.waiting import Crowd
torch.set_num_threads(2)
numbers = torch.randn(64, 20_000, generator=torch.Generator().manual_seed(0))
crowd = Crowd()

def spent():
    before = time.process_time()
    for _ in range(100):
        numbers.sum()
        time.sleep(0.006)  # longer than a thread spins
    return time.process_time() - before

spent()
for change in (crowd.disperse, lambda: crowd.gather(2, 2), crowd.disperse):
    change()
    print(spent(), (numbers @ numbers.mT).sum().item())
"""


@pytest.mark.skipif(
    "libgomp" not in Path("/proc/self/maps").read_text() or len(os.sched_getaffinity(0)) != 2,
    reason="another library of OpenMP, or not two processors",
)
def test_threads_that_wait_cost_no_time_of_a_processor_while_a_crowd_is_there_and_compute_the_same():
    environment = {name: value for name, value in os.environ.items() if name not in SET}
    done = subprocess.run([sys.executable, "-c", SPENT], env=environment, capture_output=True, text=True, check=True)
    seconds, results = zip(*map(str.split, done.stdout.splitlines()), strict=True)
    before, crowd, after = map(float, seconds)
    assert crowd < 0.5 * min(before, after)
    assert len(set(results)) == 1
