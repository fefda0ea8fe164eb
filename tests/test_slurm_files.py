"""The files of `docs/slurm` that one copies, run against stand-ins for Slurm: what they start is what we understand."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from crossmodal.cli.ablate import ablate_parser
from crossmodal.cli.study_options import split_options
from crossmodal.tasks.ave import TASK
from crossmodal.training.options import parse

FILES = Path(__file__).parents[1] / "docs" / "slurm"
STAND_INS = {
    "scontrol": 'printf "node7\\nnode8\\n"',
    "srun": 'printf "%s\\n" "$@"',
}


@pytest.fixture
def slurm(tmp_path):
    """A folder with stand-ins for Slurm's commands, and the environment of a job on two nodes."""
    for name, line in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "41", "SLURM_GPUS_ON_NODE": "4"}
    return tmp_path, {**os.environ, **job, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def started(slurm, *words, **environment):
    folder, job = slurm
    command = ["bash", str(FILES / "train.sbatch"), *words]
    return subprocess.run(command, cwd=folder, env={**job, **environment}, capture_output=True, text=True)


def test_a_training_is_started_on_every_node_and_goes_on(slurm):
    said = started(slurm, "--data.clips", "8", RUN="large")
    assert said.returncode == 0, said.stderr
    words = said.stdout.splitlines()
    at = words.index("crossmodal")
    launcher = " ".join(words[: at + 1])
    assert launcher == (
        "torchrun --nnodes 2 --nproc_per_node 4 --rdzv_backend c10d --rdzv_endpoint node7:29500 --rdzv_id 41 "
        "-m crossmodal"
    )
    assert words[at + 1 : at + 3] == ["ave", "fit"]
    _, given = parse(words[at + 3 :], TASK)
    assert (given.name, given.resume, given.data.clips) == ("large", False, 8)
    assert (given.trainer.strategy, given.trainer.num_nodes, given.trainer.devices) == ("ddp", 2, "4")
    begun = slurm[0] / "runs/large"
    begun.mkdir(parents=True)
    (begun / "config.yaml").touch()
    again = started(slurm, RUN="large").stdout.splitlines()
    assert again[again.index("--resume") + 1] == "true"


def test_a_training_without_a_name_is_refused(slurm):
    said = started(slurm)
    assert said.returncode != 0
    assert "name the run" in said.stderr


def test_a_study_runs_on_the_workers_of_its_jobs(monkeypatch):
    made: list[dict] = []

    class StandIn:
        scheduler_address = "tcp://10.0.0.1:8786"

        def __init__(self, **keywords):
            made.append(keywords)

        def scale(self, *, jobs):
            made[-1]["jobs"] = jobs

        def __enter__(self):
            return self

        def __exit__(self, *_):
            made[-1]["closed"] = True

    module = ModuleType("dask_jobqueue")
    module.SLURMCluster = StandIn
    monkeypatch.setitem(sys.modules, "dask_jobqueue", module)
    spec = spec_from_file_location("study", FILES / "study.py")
    study = module_from_spec(spec)
    spec.loader.exec_module(study)
    commands: list[list[str]] = []
    monkeypatch.setattr(study.subprocess, "run", lambda words: commands.append(words) or SimpleNamespace(returncode=3))
    words = ["ave", "ablate", "--without", "spatial", "--seeds", "0", "1", "--", "--data.clips", "8"]
    assert study.main(words) == 3
    assert made == [{**study.CLUSTER, "jobs": study.JOBS, "closed": True}]
    (command,) = commands
    assert command[:5] == [sys.executable, "-m", "crossmodal", "ave", "ablate"]
    own, of_runs = split_options(command[5:])
    given = ablate_parser(TASK).parse_args(own)
    assert (given.cluster, given.seeds, of_runs) == (StandIn.scheduler_address, [0, 1], ["--data.clips", "8"])
