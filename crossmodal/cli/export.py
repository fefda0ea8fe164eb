"""`crossmodal TASK export`: a finished run as a file for use without this library."""

from collections.abc import Sequence
from pathlib import Path

from crossmodal.option_parser import OptionParser
from crossmodal.sharing import export as write_export
from crossmodal.sharing import load
from crossmodal.sharing.exporting import TOLERANCE
from crossmodal.tasks.task import Task
from crossmodal.training.run_folder import find_run


def export(argv: Sequence[str], task: Task) -> None:
    """Writes a run as `.pt2` or `.onnx`, and says how far its numbers are from the run's."""
    given = options(task).parse_args(list(argv))
    run = find_run(Path("runs"), given.run, task.name)
    exported = write_export(load(run), task, given.out, segments=given.segments)
    for name, difference in exported.differences.items():
        print(f"{name:<18} differs by {difference:.1e} at most (refused above {TOLERANCE:g})")
    print(f"written to         {exported.file}, described in {exported.description}")


def options(task: Task) -> OptionParser:
    """Returns the parser of `export`."""
    parser = OptionParser(
        prog=f"crossmodal {task.name} export",
        description="Writes a trained system for use without this library, and checks its numbers.",
    )
    parser.add_argument("run", type=Path, help="folder of the run, or one that crossmodal.save wrote")
    parser.add_argument("out", type=Path, help="file to write: OUT.pt2 (torch.export) or OUT.onnx")
    seconds = "seconds of a clip (default: those that the system was built for, or the task's)"
    parser.add_argument("--segments", type=int, help=seconds)
    return parser
