"""Many runs: each once, those that are finished not again, those that were interrupted from where they stopped."""

import json
import os
import signal
import threading

import pytest

from crossmodal.evaluation.sweep import Processes, Run, environment, sweep

RUNS = [Run(row, seed, ("--data.clips", "4", *options)) for seed in (0, 1) for row, options in
        {"Late fusion": ("--model.edges", "[]"), "DG-SCT (paper)": ()}.items()]  # fmt: skip


def finishing(begun):
    """Stands in for a process: notes the command and leaves what a finished run leaves."""

    def start(command, log, *, threads):
        begun.append(command)
        run = log.with_suffix("")
        run.mkdir(exist_ok=True)
        (run / "summary.json").write_text(json.dumps({"test_accuracy": 0.5}))
        return 0

    return start


def test_a_run_is_named_by_row_seed_and_options():
    names = [run.name for run in RUNS]
    assert len(set(names)) == len(RUNS)
    assert names[0].startswith("late-fusion-0-")
    assert names[1].startswith("dg-sct-paper-0-")
    other = Run("Late fusion", 0, ("--data.clips", "5", "--model.edges", "[]"))
    assert other.name.rsplit("-", 1)[0] == names[0].rsplit("-", 1)[0]
    assert other.name != names[0]


def test_finished_runs_are_not_begun_again(tmp_path):
    begun = []
    sweep(RUNS[:2], tmp_path, start=finishing(begun))
    sweep(RUNS, tmp_path, start=finishing(begun))
    names = [command[command.index("--name") + 1] for command in begun]
    assert names == [run.name for run in RUNS]
    assert begun[0][-4:] == ["--seed", "0", "--data.seed", "0"]


def test_an_interrupted_run_goes_on(tmp_path):
    (tmp_path / RUNS[0].name).mkdir()
    (tmp_path / RUNS[0].name / "config.yaml").touch()
    begun = []
    sweep(RUNS[:2], tmp_path, start=finishing(begun))
    assert ["--resume" in command for command in begun] == [True, False]


def test_what_failed_is_named_after_the_others_are_done(tmp_path):
    begun, finish = [], finishing([])

    def start(command, log, *, threads):
        begun.append(command)
        return 1 if RUNS[0].name in command else finish(command, log, threads=threads)

    with pytest.raises(RuntimeError, match=rf"1 of 4 runs failed:\n{RUNS[0].name}: see .*{RUNS[0].name}.log"):
        sweep(RUNS, tmp_path, start=start)
    assert len(begun) == 4


def test_a_run_that_ends_well_without_a_result_has_failed(tmp_path):
    with pytest.raises(RuntimeError, match="1 of 1 runs failed"):
        sweep(RUNS[:1], tmp_path, start=lambda command, log, threads: 0)


def test_workers_work_at_the_same_time(tmp_path):
    together, finish = threading.Barrier(2, timeout=20), finishing([])

    def start(command, log, *, threads):
        together.wait()  # broken, were there only one at a time
        return finish(command, log, threads=threads)

    sweep(RUNS[:2], tmp_path, workers=2, start=start)


def test_interrupting_a_sweep_begins_no_more_runs(tmp_path):
    begun = []

    def start(command, log, *, threads):
        begun.append(command)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(RUNS, tmp_path, start=start)
    assert len(begun) < len(RUNS)


def test_a_process_keeps_what_it_says_and_its_exit_code(tmp_path):
    code = Processes()(["ave", "fit", "--recipe", "nonsense"], tmp_path / "log", threads=1)
    assert code == 1
    assert "'nonsense' is none of" in (tmp_path / "log").read_text()


def test_a_scheduler_that_ends_a_sweep_interrupts_it(tmp_path):
    before, begun, told = signal.getsignal(signal.SIGTERM), [], threading.Event()

    def start(command, log, *, threads):
        begun.append(command)
        os.kill(os.getpid(), signal.SIGTERM)
        told.wait(0.2)
        return 1

    with pytest.raises(KeyboardInterrupt, match="terminated; the same command goes on"):
        sweep(RUNS, tmp_path, start=start)
    assert len(begun) < len(RUNS)
    assert signal.getsignal(signal.SIGTERM) is before


def test_processes_that_run_are_ended_and_no_more_begin(tmp_path, monkeypatch):
    (tmp_path / "forever").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "forever").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "forever"))
    processes, codes = Processes(), []
    thread = threading.Thread(target=lambda: codes.append(processes(["ave", "fit"], tmp_path / "log", threads=1)))
    thread.start()
    while not processes.running:
        thread.join(0.01)
    processes.end(patience=0.1)
    thread.join(20)
    assert codes == [-signal.SIGTERM]
    assert processes(["ave", "fit"], tmp_path / "other", threads=1) == 130


def test_a_process_imports_what_this_one_can_and_the_environment_names_its_threads(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", ["", "/a", "/b"])
    monkeypatch.chdir(tmp_path)
    assert environment(3)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/a", "/b"]
    assert environment(3)["OMP_NUM_THREADS"] == environment(3)["MKL_NUM_THREADS"] == "3"
    used = []

    def start(command, log, *, threads):
        used.append(threads)
        return 1

    for told, expected in ({}, max((os.cpu_count() or 1) // 2, 1)), ({"OMP_NUM_THREADS": "7"}, 7):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RuntimeError):
            sweep(RUNS[:1], tmp_path, workers=2, start=start)
        assert used.pop() == expected
