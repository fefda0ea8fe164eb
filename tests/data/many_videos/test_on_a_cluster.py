"""`prepare` and `features` on workers of other machines: as on one, whatever dies, and however late files are seen."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import content, crossmodal
from film_zoo import Kind
from network_hosts import may_make_hosts, network

from crossmodal import io
from crossmodal.data.many_videos import prepare_ave
from crossmodal.data.many_videos.ave_media import ClipFormat

FILMS = 8
REPOSITORY = Path(__file__).parents[3]


def write_films(folder, count, seconds=10):
    folder.mkdir()
    return [
        Kind(f"{number}.mkv", "mpeg4", "flac", rate=8_000, seconds=seconds).write(folder) for number in range(count)
    ]


def test_a_clip_that_a_shared_folder_shows_late_is_waited_for(tmp_path, monkeypatch):
    """A stand-in for the pool: workers say that they are done, and their files come a moment later."""
    videos, lags = write_films(tmp_path / "videos", 2), []

    def late(label, work, items, **_):
        for item in items:
            lags.append(threading.Timer(0.2, work, [item]))
            lags[-1].start()
            yield item, None

    monkeypatch.setattr(prepare_ave, "progress", late)
    out = tmp_path / "AVE"
    for folder in ("frames", "wave"):
        (out / folder).mkdir(parents=True)
    assert prepare_ave.prepare_clips(videos, out, ClipFormat(), 0, "tcp://a:1") == {}
    assert len([*(out / "wave").glob("*.npy")]) == 2
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(prepare_ave, "progress", lambda label, work, items, **_: ((item, None) for item in items))
    monkeypatch.setattr(io, "SECONDS_TO_APPEAR", 0.01)
    with pytest.raises(OSError, match=r"0\.npy, which a worker has written, is not seen here after 0\.01 s"):
        prepare_ave.prepare_clips(videos, tmp_path / "other", ClipFormat(), 0, "tcp://a:1")


class Cluster:
    """A scheduler here, and workers on hosts."""

    def __init__(self, folder, address, hosts):
        self.file, self.running = folder / "scheduler.json", []
        self.common = ["--scheduler-file", str(self.file), "--no-dashboard"]
        self._start([], "scheduler", "--host", address, "--port", "0")
        while not self.file.is_file():
            time.sleep(0.1)
        for host in hosts:
            self.add(host)

    def add(self, host):
        places = ["--nworkers", "1", "--nthreads", "1", "--no-nanny", "--local-directory", str(self.file.parent)]
        return self._start(host, "worker", *places)

    def _start(self, host, what, *words):
        command = [*host, sys.executable, "-m", "dask", what, *self.common, *words]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.running.append(subprocess.Popen(command, env=environment, start_new_session=True, **quiet))
        return self.running[-1]

    def kill(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self):
        for process in reversed(self.running):
            self.kill(process)


@pytest.fixture(params=["processes", "hosts"])
def cluster(request, tmp_path):
    with ExitStack() as stack:
        address, hosts = "127.0.0.1", [[], []]
        if request.param == "hosts":
            if not may_make_hosts():
                pytest.skip("network namespaces need root and `ip`")
            address, hosts = stack.enter_context(network(2))
        made = Cluster(tmp_path, address, hosts)
        stack.callback(made.end)
        yield made, hosts


def started(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(
        [sys.executable, "-m", "crossmodal", "ave", *map(str, words)], cwd=folder, env=environment, **pipes
    )


def rows(file):
    with h5py.File(file) as opened:
        return opened["clip"].asstr()[:].tolist(), {name: opened[name][:] for name in ("visual", "audio")}


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_its_clip_alone_and_another_takes_its_place(cluster, lab, tmp_path):
    made, hosts = cluster
    write_films(tmp_path / "videos", FILMS)
    (tmp_path / "videos/broken.mp4").write_text("no film")
    ask = ("prepare", "videos", "AVE", "--cluster", made.file)
    first = started(tmp_path, *ask)
    while first.poll() is None and not [*tmp_path.glob("AVE/wave/*.npy")]:
        time.sleep(0.01)
    made.kill(made.running[1])  # in the middle of a clip, or between two
    said, _ = first.communicate(timeout=300)
    assert first.returncode == 3, said
    lost = FILMS - len([*tmp_path.glob("AVE/wave/*.npy")])
    assert lost <= 1, said
    made.add(hosts[0])  # a machine that comes back
    again = started(tmp_path, *ask)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 3, said
    assert f"prepared {FILMS} of {FILMS + 1}, 1 failed" in said
    assert crossmodal(tmp_path, "ave", "prepare", "videos", "alone", "--workers", "0").code == 3
    there, alone = content(tmp_path / "AVE"), content(tmp_path / "alone")
    for made_of in (there, alone):
        assert made_of.pop("failed.csv")  # workers name the film by its whole path
    assert there == alone

    shutil.copytree(lab[0] / "runs", tmp_path / "runs")
    told = started(tmp_path, "features", "videos", "far.h5", "--run", "runs/first", "--cluster", made.file)
    said, _ = told.communicate(timeout=300)
    assert told.returncode == 3, said
    here = ("features", "videos", "near.h5", "--run", "runs/first", "--workers", "0")
    assert crossmodal(tmp_path, "ave", *here).code == 3
    (names, far), (expected, near) = rows(tmp_path / "far.h5"), rows(tmp_path / "near.h5")
    assert names == expected
    assert len(names) == 10 * FILMS
    for stream, values in near.items():
        np.testing.assert_allclose(far[stream], values, rtol=1e-4, atol=1e-5)
    assert not [*tmp_path.glob("*.parts")]
