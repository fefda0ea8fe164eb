"""Commands as child processes: their words and log arrive, and they end with what started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossmodal import child_command
from crossmodal.child_command import INTERRUPTED, run_command

SLEEPING = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""


def test_words_arrive_and_what_is_said_is_kept(tmp_path):
    assert run_command(["--help"], tmp_path / "log") == 0
    assert "usage: crossmodal" in (tmp_path / "log").read_text()
    assert run_command(["unheard-of"], tmp_path / "log") == 2


def test_a_command_that_is_unwanted_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(child_command, "MAIN", SLEEPING)
    pid = tmp_path / "pid"
    assert run_command([str(pid)], tmp_path / "log", unwanted=pid.is_file) == INTERRUPTED
    assert not alive(int(pid.read_text()))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_command_ends_with_its_parent(tmp_path, end):
    code = f"""
import signal
from pathlib import Path
from crossmodal import child_command
signal.signal(signal.SIGINT, signal.default_int_handler)
child_command.MAIN = {SLEEPING!r}
child_command.run_command([{str(tmp_path / "pid")!r}], Path({str(tmp_path / "log")!r}))
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=child_command.child_environment(1), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text())
    parent.send_signal(end)
    parent.wait()
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())))


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return (
        Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        if Path("/proc").is_dir()
        else True
    )


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
