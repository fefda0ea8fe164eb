"""A pool of workers: every item once, a crash is one item's failure, an error ends all, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from crossmodal.worker_pool import DIED, Failure, cancelled, worker_pool


def double(number):
    if number < 0:
        return Failure(f"{number} is negative.")
    return 2 * number


def crash(number):
    if number in (3, 8):
        os.kill(os.getpid(), signal.SIGSEGV)
    if "torch" in sys.modules:  # it reads the number of threads when it is imported
        return number, "too late", None
    return number, os.environ["OMP_NUM_THREADS"], os.environ.get("MALLOC_TRIM_THRESHOLD_")


def refuse(number):
    raise OSError(f"no room for {number}")


def sleep_in(place):
    (Path(place) / str(os.getpid())).touch()
    time.sleep(60)


def test_without_workers_items_run_here_in_order():
    items = [1, -1, 2, 3, -4, 5]
    with worker_pool(0) as pool:
        assert list(pool.map_unordered(double, items)) == [(item, double(item)) for item in items]
        with pytest.raises(OSError, match="no room for 1"):
            list(pool.map_unordered(refuse, [1, 2]))


def test_a_crash_fails_its_item_alone_and_an_error_ends_the_rest():
    with worker_pool(2, threads=2) as pool:
        found = dict(pool.map_unordered(crash, range(12)))
        assert [found.pop(3), found.pop(8)] == [Failure(DIED)] * 2
        assert found == {number: (number, "2", None) for number in range(12) if number not in (3, 8)}
        with pytest.raises(OSError, match="no room for"):
            list(pool.map_unordered(refuse, [1, 2, 3]))
        assert dict(pool.map_unordered(double, [1, -1])) == {1: 2, -1: Failure("-1 is negative.")}
        assert not list(pool.map_unordered(double, []))
        if Path("/proc/net/tcp").is_file():  # nothing is served to other machines
            assert not listening_everywhere()


def listening_everywhere():
    """Sockets that this process and its children hold open to other machines."""
    children = [Path("/proc", pid) for pid in [str(os.getpid()), *_children(os.getpid())]]
    held = {os.readlink(fd) for child in children for fd in (child / "fd").iterdir() if fd.exists() or fd.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        row[1] for row in rows if row[3] == "0A" and row[1].startswith("00000000:") and f"socket:[{row[9]}]" in held
    ]


def _children(pid):
    found = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


def start_cluster(folder):
    """Starts a scheduler, whose file is `scheduler.json`, and two workers, as on a cluster of machines."""
    file, environment = folder / "scheduler.json", {**os.environ, "PYTHONPATH": f"{HELPERS}:{HELPERS.parent}"}
    dask = [sys.executable, "-m", "dask"]
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [
        [*dask, "scheduler", *common, "--port", "0"],
        [*dask, "worker", *common, "--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return [subprocess.Popen(command, env=environment, cwd=folder, **quiet) for command in commands]


def end_cluster(running, *, how="terminate"):
    for process in reversed(running):
        getattr(process, how)()
        process.wait()


@pytest.fixture
def scheduler(tmp_path):
    """The scheduler file of two workers."""
    running = start_cluster(tmp_path)
    try:
        yield tmp_path / "scheduler.json"
    finally:
        end_cluster(running)


def until_unwanted(folder):
    place = Path(folder) / str(os.getpid())
    place.touch()
    while not cancelled():
        time.sleep(0.05)
    place.rename(place.with_suffix(".left"))


def test_workers_of_a_running_scheduler_are_joined(tmp_path, scheduler):
    wait_for(scheduler.is_file)
    with worker_pool(0, cluster=str(scheduler)) as pool:  # waits for workers, too
        found = dict(pool.map_unordered(crash, range(6)))
        assert found.pop(3) == Failure(DIED)
        assert sorted(found) == [0, 1, 2, 4, 5]
        (tmp_path / "left").mkdir()
        waiting = pool.map_unordered(until_unwanted, [str(tmp_path / "left"), 7])
        with pytest.raises(TypeError):
            next(waiting)
        wait_for(lambda: any(file.suffix for file in (tmp_path / "left").iterdir()))


def nap(number):
    time.sleep(0.3)
    return 2 * number


@pytest.mark.slow  # two clusters begin
@pytest.mark.parametrize("returns", [True, False])
def test_a_scheduler_that_is_lost_is_waited_for(tmp_path, monkeypatch, returns):
    """Every item comes once, those that were running are given out again; without a scheduler it ends in a sentence."""
    monkeypatch.setattr("crossmodal.dask_workers.SECONDS_TO_RETURN", 90 if returns else 1)
    running, found = start_cluster(tmp_path), []
    sentence = "run the same command again; what is finished is kept"
    try:
        wait_for((tmp_path / "scheduler.json").is_file)
        with (
            worker_pool(0, cluster=str(tmp_path / "scheduler.json")) as pool,
            nullcontext() if returns else pytest.raises(ConnectionError, match=sentence),
        ):
            for item, outcome in pool.map_unordered(nap, range(20)):
                assert outcome == 2 * item
                found.append(item)
                if len(found) == 4:
                    end_cluster(running, how="kill")
                    (tmp_path / "scheduler.json").unlink()
                    running = start_cluster(tmp_path) if returns else []
        assert len(found) == len(set(found))
        assert len(found) == 20 if returns else 4 <= len(found) <= 6  # some were done when it was lost
    finally:
        end_cluster(running)


@pytest.mark.parametrize(
    ("cluster", "error", "words"),
    [
        ("gone.json", FileNotFoundError, r"cluster='gone.json' is no address .* no scheduler file of that name: start"),
        ("tcp://127.0.0.1:9", OSError, r"cluster='tcp://127.0.0.1:9' does not answer \(.*\): is its scheduler running"),
    ],
)
def test_a_cluster_that_is_not_there_is_named(monkeypatch, cluster, error, words):
    monkeypatch.setattr("crossmodal.dask_workers.SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(error, match=words), worker_pool(0, cluster=cluster):
        pass


HELPERS = Path(__file__).parent


def begun(folder, words=(), call="sleep_in"):
    """Begins a script that works in two processes, without a hint where its workers are."""
    code = f"""
import sys
sys.path[:0] = {[str(HELPERS), str(HELPERS.parent)]!r}
from crossmodal.worker_pool import worker_pool
from test_worker_pool import {call}
if __name__ == "__main__":
    with worker_pool(2{"".join(words)}) as pool:
        list(pool.map_unordered({call}, [{str(folder)!r}] * 2))
"""
    (folder / "run.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, folder / "run.py"], process_group=0, preexec_fn=hears_ctrl_c, stderr=subprocess.PIPE, text=True
    )


def hears_ctrl_c():
    """What a shell begins in the background would not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(process):
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them


@pytest.mark.parametrize("end", [subprocess.Popen.kill, subprocess.Popen.terminate, interrupt])
def test_workers_end_with_their_parent_however_it_ends(tmp_path, end):
    parent = begun(tmp_path)
    wait_for(lambda: len(workers_in(tmp_path)) == 2)
    end(parent)
    _, said = parent.communicate()
    wait_for(lambda: not any(map(alive, workers_in(tmp_path))))
    if end is not subprocess.Popen.kill:
        assert said.count("Traceback") == 1, said
        assert said.strip().splitlines()[-1].startswith("KeyboardInterrupt")


def test_a_script_that_starts_workers_when_it_is_imported_is_told_so(tmp_path):
    code = "from crossmodal.worker_pool import worker_pool\nwith worker_pool(1) as pool:\n    pass\n"
    (tmp_path / "run.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(HELPERS.parent)}
    said = subprocess.run([sys.executable, tmp_path / "run.py"], env=environment, capture_output=True, text=True)
    assert said.returncode == 1
    last = said.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: the worker processes did not start")
    assert 'below `if __name__ == "__main__":`' in last


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
