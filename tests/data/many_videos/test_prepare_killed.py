"""`ave prepare` that is killed, wherever, and run again leaves what it leaves undisturbed, byte for byte."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import content, crossmodal
from film_zoo import Kind, write_rows

FILMS = 6


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Films with annotations, one of them cut, and what the command makes of them when nothing disturbs it."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "videos").mkdir()
    for index in range(FILMS):
        Kind(f"film{index}.mkv", "mpeg4", "flac", rate=8_000, frames_a_second=2 + index).write(folder / "videos")
    cut = folder / "videos/film2.mkv"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    write_rows(folder / "videos", [f"film{index}" for index in range(FILMS)])
    assert crossmodal(folder, "ave", "prepare", "videos", "whole", "--workers", "0").code == 3
    return folder


class Killed(BaseException):
    """Nothing catches it: what runs stops here."""


@pytest.mark.parametrize("call", ["os.replace", "PIL.Image.Image.save", "pathlib.Path.mkdir"])
@pytest.mark.parametrize("after", [0, 1, 4, 7, 12])
def test_stopped_before_any_write(lab, monkeypatch, call, after):
    out, calls = lab / f"{call}{after}", iter(range(after))
    module, _, name = call.rpartition(".")
    owner = sys.modules.get(module) or sys.modules[module.rpartition(".")[0]].__dict__[module.rpartition(".")[2]]
    written = getattr(owner, name)

    def killed(*args, **kwargs):
        if next(calls, None) is None:
            raise Killed
        return written(*args, **kwargs)

    with monkeypatch.context() as patch, contextlib.suppress(Killed):  # with few calls it comes to its end
        patch.setattr(owner, name, killed)
        crossmodal(lab, "ave", "prepare", "videos", out.name, "--workers", "0")
    assert crossmodal(lab, "ave", "prepare", "videos", out.name, "--workers", "0").code == 3
    assert content(out) == content(lab / "whole")


@pytest.mark.parametrize("clips", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_killed_by_the_system_and_run_again_at_once(lab, clips):
    out = lab / f"killed{clips}"
    command = [sys.executable, "-m", "crossmodal", "ave", "prepare", "videos", out.name, "--workers", "2"]
    running = subprocess.Popen(command, cwd=lab, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len([*out.glob("wave/*.npy")]) < clips or not out.exists():
        assert running.poll() is None
        time.sleep(0.001)
    running.kill()
    running.wait()
    said = crossmodal(lab, "ave", "prepare", "videos", out.name, "--workers", "0")
    assert said.code == 3, said.err
    assert content(out) == content(lab / "whole")


def hears_ctrl_c():
    """What a shell begins in the background would not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


WRITES_NO_LAST_CLIP = f"""import sys, time
sys.addaudithook(lambda event, args: event == "open" and "film{FILMS - 1}" in str(args[0]) and time.sleep(600))
"""
"""`sitecustomize.py` of a process that stands still before the last clip is written."""


def test_ctrl_c_says_how_far_it_came_and_nothing_else(lab, tmp_path):
    # without it the command could be over before this process, which may have to wait, interrupts it
    (tmp_path / "sitecustomize.py").write_text(WRITES_NO_LAST_CLIP)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "crossmodal", "ave", "prepare", "videos", "stopped", "--workers", "2"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, cwd=lab, env=environ, process_group=0, preexec_fn=hears_ctrl_c, **pipes)
    while not (lab / "stopped/frames").exists():
        assert running.poll() is None
        time.sleep(0.001)
    time.sleep(0.5)  # in the middle of what the processes import
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130
    assert "Traceback" not in said
    assert f"of {FILMS}; the same command goes on." in said
    assert crossmodal(lab, "ave", "prepare", "videos", "stopped", "--workers", "0").code == 3
    assert content(lab / "stopped") == content(lab / "whole")


def test_a_full_disk_ends_in_words_and_the_rest_is_done_later(lab, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        for module in ("prepare_ave", "made_from"):  # texts are written, clips are not
            patch.setattr(f"crossmodal.data.many_videos.{module}.write_whole", lambda file, text: file.write_text(text))
        said = crossmodal(lab, "ave", "prepare", "videos", "full", "--workers", "0")
    assert said.code == 1
    assert "crossmodal: ave prepare stopped in full/: full/wave/film0.npy cannot be written: No space left" in said.err
    assert crossmodal(lab, "ave", "prepare", "videos", "full", "--workers", "0").code == 3
    assert content(lab / "full") == content(lab / "whole")


def test_a_folder_that_another_process_writes_is_refused(lab):
    crossmodal(lab, "ave", "prepare", "videos", "held", "--workers", "0")
    code = "import sys, pathlib; from crossmodal.io import folder_lock\n"
    code += "with folder_lock(pathlib.Path('held')): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=lab, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        said = crossmodal(lab, "ave", "prepare", "videos", "held", "--workers", "0")
        holder.communicate("")
    assert said.code == 1
    assert "held/ is being written by another process: wait for it, or end it." in said.err
    assert crossmodal(lab, "ave", "prepare", "videos", "held", "--workers", "0").code == 3
