"""Work in processes: every item once, a crash is one item's failure, an error ends all."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from crossmodal.data.many_videos.many import Failure, each


def double(number):
    if number < 0:
        return Failure(f"{number} is negative.")
    return 2 * number


def crash(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def leave(number):
    os._exit(number)


def refuse(number):
    raise OSError(f"no room for {number}")


def sleep_in(place):
    (Path(place) / str(os.getpid())).touch()
    time.sleep(60)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("items", [[], [7], [1, -1, 2, 3, -4, 5]])
def test_every_item_comes_once_with_what_was_made_of_it(items, workers):
    found = dict(each(double, items, workers))
    assert found == {item: double(item) for item in items}


def test_one_process_keeps_the_order():
    assert [item for item, _ in each(double, range(5), 1)] == list(range(5))


def test_a_crash_fails_one_item_and_spares_the_others():
    found = dict(each(crash, range(6), 2))
    assert found.pop(3) == Failure("the process that read it died (SIGSEGV): convert the file.")
    assert found == {number: number for number in (0, 1, 2, 4, 5)}
    assert dict(each(leave, [5], 1)) == {5: Failure("the process that read it died (exit code 5): convert the file.")}


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_ends_the_work_and_is_raised_here(workers):
    with pytest.raises(OSError, match="no room for"):
        list(each(refuse, [1, 2, 3], workers))


def test_ctrl_c_is_heard_even_while_a_process_begins(monkeypatch):
    start = SpawnProcess.start

    def interrupted(process):
        os.kill(os.getpid(), signal.SIGINT)
        start(process)

    monkeypatch.setattr(SpawnProcess, "start", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            list(each(double, [1, 2], 1))
    finally:
        signal.signal(signal.SIGINT, before)


def test_processes_end_with_their_parent_even_where_it_is_killed(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_many import each, sleep_in
if __name__ == "__main__":
    list(each(sleep_in, [{str(tmp_path)!r}] * 2, 2))
"""
    (tmp_path / "run.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "run.py"])
    wait_for(lambda: len(workers_in(tmp_path)) == 2)
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(map(alive, workers_in(tmp_path))))


def workers_in(folder):
    return [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return state.strip()[:1] not in ("", "Z")


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
