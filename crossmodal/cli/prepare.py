"""`crossmodal TASK prepare`: brings a folder of video files into a published layout of the task."""

import sys
from collections.abc import Sequence
from importlib import import_module

from crossmodal.option_parser import OptionParser
from crossmodal.tasks.task import Task


def prepare(argv: Sequence[str], task: Task) -> int:
    """Runs the preparation of a layout, the first of the task unless `--layout` names another.

    Returns:
        0, 3 where some clips failed, 2 where there is no layout.
    """
    modules = {name: source.preparation for name, source in task.sources.items() if source.preparation}
    if not modules:
        print(f"crossmodal: no data source of {task.name} has a layout to prepare.", file=sys.stderr)
        return 2
    prog = f"{task.name} prepare"
    # it adds no help of its own: that is the preparation's
    parser = OptionParser(prog=f"crossmodal {prog}", add_help=False, allow_abbrev=False)
    parser.add_argument("--layout", choices=list(modules), default=next(iter(modules)))
    given, others = parser.parse_known_args(list(argv))
    if len(modules) > 1 and {"-h", "--help"} & {*others}:
        print(
            f"--layout {'|'.join(modules)}: what is written (default: {next(iter(modules))}); below, {given.layout}\n"
        )
    code: int = import_module(modules[given.layout]).prepare(others, prog)
    return code
