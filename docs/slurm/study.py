"""Trains the runs of a study on Slurm: a job per worker, a run per worker at a time.

    python study.py ave ablate --without spatial --runs /shared/ablation

Needs `pip install dask-jobqueue`, and a folder that all machines see. Change the lines of `CLUSTER` to your site's.
"""

import subprocess
import sys

JOBS = 8
"""Jobs that are asked for; runs begin as soon as the first has started."""

CLUSTER = {
    "queue": "gpu",  # sbatch --partition
    "cores": 4,
    "processes": 1,  # workers of a job: each trains one run at a time
    "memory": "16GB",
    "walltime": "08:00:00",
    "job_extra_directives": ["--gpus=1"],
    "job_script_prologue": ["export OMP_NUM_THREADS=4"],  # such as `module load`, too
    "log_directory": "slurm-logs",
}
"""Keywords of `dask_jobqueue.SLURMCluster`; PBSCluster and SGECluster take nearly the same."""


def main(words: list[str]) -> int:
    """Starts the workers, runs one command of crossmodal on them, and ends the jobs."""
    from dask_jobqueue import SLURMCluster

    with SLURMCluster(**CLUSTER) as cluster:
        cluster.scale(jobs=JOBS)
        task, verb, *options = words
        # before the options: those behind `--` are of every run
        command = [sys.executable, "-m", "crossmodal", task, verb, "--cluster", cluster.scheduler_address, *options]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
