"""Peak memory of a training step, each variant in a process of its own: `python -m benchmarks.groups.memory NAME …`."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from ..machine import ROOT
from ..results import Found
from ..setting import Setting, step_of
from ..tables import giga, markdown
from ..variants import VARIANTS, built

STATUS = Path("/proc/self/status")


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a variant."""
    return {name: partial(alone, setting, name) for name in VARIANTS}


def alone(setting: Setting, name: str) -> Found:
    """What `peak` finds in a process that does nothing else. `RuntimeError` with its words where it fails."""
    words = [sys.executable, "-m", "benchmarks.groups.memory", name, setting.size, setting.device]
    run = subprocess.run([*words, str(torch.get_num_threads())], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"benchmarks: the process for the memory of {name} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def peak(setting: Setting, name: str) -> Found:
    """Bytes before one training step and the most within it: resident ones, or the GPU's."""
    step = step_of(setting, built(name, setting))
    if setting.device != "cpu":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return {"before": before, "peak": torch.cuda.max_memory_allocated()}
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark starts again from here
    before = resident("VmRSS")
    step()
    return {"before": before, "peak": resident("VmHWM")}


def resident(kind: str) -> int:
    """Bytes of this process that are in memory (`VmRSS`), or the most that were (`VmHWM`). Linux only."""
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def table(found: Mapping[str, Found]) -> str:
    """A row a variant."""
    head = ["one training step", "GB before", "GB at its peak", "GB that the step took"]
    rows = [[name, *map(giga, (of["before"], of["peak"], of["peak"] - of["before"]))] for name, of in found.items()]
    return markdown(head, rows)


if __name__ == "__main__":
    name, size, device, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(json.dumps(peak(Setting(size, device), name)))
