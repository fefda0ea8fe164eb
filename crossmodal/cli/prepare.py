"""`crossmodal TASK prepare`: brings a folder of video files into the task's published layout."""

import sys
from collections.abc import Sequence
from importlib import import_module

from crossmodal.tasks.task import Task


def prepare(argv: Sequence[str], task: Task) -> int:
    """Runs the preparation of the task's layout; returns 0, 3 where some clips failed, 2 where there is no layout."""
    modules = [source.preparation for source in task.sources.values() if source.preparation]
    if not modules:
        print(f"crossmodal: no data source of {task.name} has a layout to prepare.", file=sys.stderr)
        return 2
    code: int = import_module(modules[0]).prepare(argv, f"{task.name} prepare")
    return code
