"""Many runs: each once, those that are finished not again, those that were interrupted from where they stopped."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.evaluation.logged_command import LoggedCommand, _lock, run_logged, wait_for_logs
from crossmodal.evaluation.study import Study
from crossmodal.evaluation.sweep import SweepRun, sweep, why_failed
from crossmodal.tasks.resolve import find_task
from crossmodal.worker_pool import Failure, ThisProcess

RUNS = [
    SweepRun("ave", row, seed, ("--data.clips", "4"), row)
    for seed in (0, 1)
    for row in ("Late fusion", "DG-SCT (paper)")
]


@pytest.fixture
def begun(monkeypatch):
    """Runs everything in this process, and leaves what finished runs leave; lists the commands."""
    commands = []

    def run(command):
        commands.append(command)
        folder = Path(command.log).with_suffix("")
        folder.mkdir(exist_ok=True)
        (folder / "summary.json").write_text(json.dumps({"test": {"accuracy": 0.5}}))
        return 0

    monkeypatch.setattr("crossmodal.evaluation.sweep.run_logged", run)
    monkeypatch.setattr("crossmodal.evaluation.sweep.worker_pool", lambda *_, **__: nullcontext(ThisProcess()))
    return commands


def going_on(command):
    """Whether a command goes on with its run, as its words say it."""
    return command.words[command.words.index("--resume") + 1]


def test_a_run_is_named_by_row_seed_and_configuration():
    names = [run.name for run in RUNS]
    assert len(set(names)) == len(RUNS)
    assert names[0].startswith("late-fusion-0-")
    assert names[1].startswith("dg-sct-paper-0-")
    other = SweepRun("ave", "Late fusion", 0, ("--data.clips", "4"), "other")
    assert other.name.rsplit("-", 1)[0] == names[0].rsplit("-", 1)[0]
    assert other.name != names[0]
    # so a row of another study can start from the run of its seed
    assert RUNS[2].name == names[0].replace("-0-", "-1-")


@given(st.text())
def test_whatever_a_row_is_called_its_run_has_a_name(row):
    """A name that begins with a dash would be an option, and one that is empty none at all."""
    name = SweepRun("ave", row, 0, (), "known").name
    parser = argparse.ArgumentParser()
    parser.add_argument("--name")
    assert parser.parse_args(["--name", name]).name == name
    assert name == Path(name).name
    assert name[0] not in "-._"


def test_finished_runs_are_not_started_again_and_interrupted_ones_go_on(tmp_path, begun):
    sweep(RUNS[:1], tmp_path)
    (tmp_path / RUNS[1].name).mkdir()
    (tmp_path / RUNS[1].name / "config.yaml").touch()
    sweep(RUNS, tmp_path)
    assert [command.words[command.words.index("--name") + 1] for command in begun] == [run.name for run in RUNS]
    assert [command.words[:2] for command in begun] == [("ave", "fit")] * 4
    assert [going_on(command) for command in begun] == ["false", "true", "false", "false"]
    assert begun[0].words[2:8] == ("--data.clips", "4", "--seed", "0", "--data.seed", "0")


def test_the_seed_stands_in_options_that_name_it_and_makes_no_other_configuration():
    """So a row starts from the run of each seed: `--model.pretrained runs/pretrained-{seed}`."""
    runs = [SweepRun("few_shot", "dg_sct", seed, ("--model.pretrained", "pre-{seed}"), "known") for seed in (0, 3)]
    assert [run.words[:2] for run in runs] == [["--model.pretrained", "pre-0"], ["--model.pretrained", "pre-3"]]
    study = Study(find_task("few_shot"), ("--model.pretrained", "pre-{seed}"), {"full": ()}, (0, 3))
    assert [run.words[1] for run in study.runs] == ["pre-0", "pre-3"]
    assert len({run.configuration for run in study.runs}) == 1


@pytest.mark.parametrize("finished", [True, False])
def test_another_study_takes_a_run_that_is_there_under_another_name(tmp_path, begun, finished):
    """A finished one is read, an interrupted one goes on; of another seed or configuration none is taken."""
    mine = RUNS[0]
    theirs = SweepRun("ave", "full", mine.seed, mine.options, mine.configuration)
    others = [SweepRun("ave", "full", 1, (), mine.row), SweepRun("ave", "full", mine.seed, (), "other")]
    (tmp_path / theirs.name).mkdir()
    (tmp_path / theirs.name / "config.yaml").touch()
    if finished:
        (tmp_path / theirs.name / "summary.json").write_text('{"test": {"accuracy": 0.75}}')
    assert mine.place(tmp_path) == tmp_path / theirs.name
    assert [run.place(tmp_path) for run in others] == [tmp_path / run.name for run in others]
    sweep([mine], tmp_path)
    assert mine.summary(tmp_path) == {"test": {"accuracy": 0.75 if finished else 0.5}}
    assert [command.words[command.words.index("--name") :][:4] for command in begun] == (
        [] if finished else [("--name", theirs.name, "--resume", "true")]
    )


@pytest.mark.parametrize("outcome", [1, 0, Failure("the worker died")], ids=["exit code", "no result", "worker"])
def test_what_failed_is_named_after_the_others_are_done(tmp_path, begun, monkeypatch, outcome):
    from crossmodal.evaluation import sweep as module

    finish = module.run_logged
    monkeypatch.setattr(module, "run_logged", lambda of: outcome if RUNS[0].name in of.log else finish(of))
    with pytest.raises(RuntimeError, match=rf"1 of 4 runs failed:\n{RUNS[0].name}: see .*{RUNS[0].name}.log") as raised:
        sweep(RUNS, tmp_path)
    assert ("(the worker died)" in str(raised.value)) == isinstance(outcome, Failure)
    assert len(begun) == 3


def test_a_result_that_a_shared_folder_shows_late_is_waited_for(tmp_path, monkeypatch):
    run, summary = RUNS[0], '{"test": {"accuracy": 0.5}}'
    place = run.place(tmp_path)
    place.mkdir()
    threading.Timer(0.15, (place / "summary.json").write_text, [summary]).start()
    assert why_failed(run, tmp_path, 0, "tcp://a:1") == ""
    monkeypatch.setattr("crossmodal.io.SECONDS_TO_APPEAR", 0.01)
    assert "is not seen here after 0.01 s" in why_failed(RUNS[1], tmp_path, 0, "tcp://a:1")
    assert why_failed(RUNS[1], tmp_path, 0, None) == " (exit code 0)"  # on this machine nothing is late


def test_a_run_imports_what_this_process_can_and_its_environment_names_its_threads(tmp_path, begun, monkeypatch):
    monkeypatch.setattr("sys.path", ["", "/a", "/b", *sys.path])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    sweep(RUNS[:1], tmp_path, workers=2)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    sweep(RUNS[1:2], tmp_path, workers=2)
    sweep(RUNS[2:3], tmp_path, cluster="scheduler.json")
    said = [command.environment for command in begun]
    assert said[0]["PYTHONPATH"].split(os.pathsep)[:3] == [str(tmp_path), "/a", "/b"]
    assert [of.get("OMP_NUM_THREADS") for of in said] == [str(max((os.cpu_count() or 1) // 2, 1)), "7", None]
    assert begun[0].folder == str(tmp_path)


def command_of(folder, *words, name="log"):
    return LoggedCommand(words, str(folder / name), str(folder), {})


def test_a_command_keeps_what_it_says_and_its_exit_code(tmp_path):
    (tmp_path / "log").write_text("of a run before")
    assert run_logged(command_of(tmp_path, "copy", "ave/nonsense", "mine.py")) == 1
    said = (tmp_path / "log").read_text()
    assert "there is no recipe 'ave/nonsense'" in said
    assert "of a run before" not in said


@pytest.mark.parametrize("given", [None, "65536", "1000"])
def test_a_command_does_not_inherit_how_a_dask_worker_frees_memory(tmp_path, monkeypatch, given):
    """A value of the user's own stays."""
    words = [sys.executable, "-c", "import os; print(os.environ.get('MALLOC_TRIM_THRESHOLD_'))"]
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **how: start(words, **how))
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", given) if given else monkeypatch.delenv(
        "MALLOC_TRIM_THRESHOLD_", raising=False
    )
    assert run_logged(command_of(tmp_path)) == 0
    assert (tmp_path / "log").read_text().strip() == str(None if given == "65536" else given)


SLEEPS = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"


@pytest.fixture
def asleep(tmp_path):
    """A folder whose `crossmodal`, before ours on the path, sleeps; with the environment that finds it."""
    package = tmp_path / "crossmodal"
    (package / "evaluation").mkdir(parents=True)
    for file in ("__init__.py", "evaluation/__init__.py"):
        (package / file).touch()
    real = Path(__file__).parents[2] / "crossmodal" / "evaluation" / "attended.py"
    (package / "evaluation" / "attended.py").write_text(real.read_text())
    (package / "__main__.py").write_text(SLEEPS)
    return LoggedCommand((), str(tmp_path / "log"), str(tmp_path), {"PYTHONPATH": str(tmp_path)})


def is_held(log):
    """Whether a command that prints into the log still runs."""
    with open(log, encoding="utf-8") as file:
        return not _lock(file)


@contextmanager
def elsewhere(command):
    """Runs a command by a process of its own, a worker."""
    script = f"from crossmodal.evaluation.logged_command import *\nrun_logged({command!r})"
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    try:
        until = time.monotonic() + 60
        while not (Path(command.folder) / "pid").is_file() and time.monotonic() < until:
            time.sleep(0.05)
        yield worker
    finally:
        worker.kill()
        worker.wait()


def test_a_command_ends_with_the_worker_that_is_killed_and_is_not_run_twice(asleep):
    with elsewhere(asleep) as worker:
        assert run_logged(asleep) == Failure("another process is running it")
        worker.kill()
        worker.wait()
        wait_for_logs([asleep.log])
    assert not is_held(asleep.log)


def test_a_command_that_is_not_wanted_is_ended(asleep, monkeypatch):
    monkeypatch.setattr(
        "crossmodal.evaluation.logged_command.cancelled", lambda: (Path(asleep.folder) / "pid").is_file()
    )
    assert run_logged(asleep) == 130
    assert not is_held(asleep.log)


SWEEPS = """
import crossmodal.evaluation.sweep as of
from crossmodal.evaluation.study import Study
from crossmodal.evaluation.sweep import SweepRun, sweep
from crossmodal.tasks.resolve import find_task
from pathlib import Path

if __name__ == "__main__":
    of.import_path = lambda: {{"PYTHONPATH": {folder!r}}}
    sweep([SweepRun("ave", "a", 0, (), ""), SweepRun("ave", "b", 0, (), "")], Path({folder!r}))
"""


@pytest.mark.slow  # it waits for a process that imports torch
def test_a_sweep_that_is_terminated_ends_its_runs_before_itself(asleep):
    work = Path(asleep.folder) / "work"
    work.mkdir()
    (work / "sweeps.py").write_text(SWEEPS.format(folder=asleep.folder))
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = [sys.executable, "sweeps.py"]
    process = subprocess.Popen(words, cwd=work, env=here, stderr=subprocess.PIPE, text=True)
    told = threading.Timer(90, process.kill)
    told.start()
    try:
        while not (work / "pid").is_file() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1]
    finally:
        told.cancel()
    assert "KeyboardInterrupt: terminated; the same command goes on" in said
    (log,) = Path(asleep.folder).glob("a-*.log")
    assert not is_held(log)
    assert not [*Path(asleep.folder).glob("b-*.log")]
