"""What was measured on: processor, cores, threads, versions, commit, and how busy the machine was."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
BUSY = 0.25
"""Running processes per core, at the start, above which figures are not to be trusted."""


def machine(device: str) -> dict[str, Any]:
    """What must be the same for figures to stand in one table."""
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
    }
    return found if device == "cpu" else {**found, "gpu": torch.cuda.get_device_name()}


def processor() -> str:
    """Its name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """The commit of the library, with a plus where its files have changed since; empty outside a repository."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "crossmodal", "recipes", "benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + "+" * bool(changed)


def load() -> float:
    """Running processes of the last minute, per core; zero where the system does not tell."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


def warning_of(load: float) -> str:
    """What is to be said of a busy machine; empty of a quiet one."""
    if load <= BUSY:
        return ""
    return (
        f"The machine is busy: {load:.2f} processes a core in the last minute. Times measured now are not to be kept."
    )


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
