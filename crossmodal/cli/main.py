"""The command `crossmodal`: finds task and verb by their names and runs the verb."""

import difflib
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from ..installed_by import installed_by
from .freed_memory import keep_freed_memory
from .waiting import waiting_by_load

VERBS = {
    "fit": "train a system on the built-in world or on your data, then test it (--help: all options)",
    "test": "test the newest run, or --run runs/NAME",
    "predict": "what a run says of video files: lines, tables, pages of pictures",
    "features": "what a run's encoders make of every second of a folder of video files",
    "compare": "several systems, several seeds: one table beside the published one",
    "ablate": "what every part of a system is worth: variants and seeds in one table",
    "cost": "what a training step costs, part by part, before any weight exists",
    "look": "maps, and what changes when a guide is taken away",
    "figure": "features before and after guidance, with probes and silhouettes",
    "export": "a run as OUT.pt2 or OUT.onnx, for use without this library",
    "reproduce": "released weights on the published test split",
    "prepare": "bring a folder of video files into the published layout",
}
"""Verb → what it does; each is the function of its name in `crossmodal/cli/<verb>.py`, called with `(argv, task)`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # tensors of a training step keep their sizes; elsewhere, as over films, what is kept would have holes and grow
    if words[1:2] == ["fit"]:
        keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot write must not cost the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.path.insert(0, os.getcwd())  # so that `--model.spatial mylab.TopK` finds mylab.py here
    with waiting_by_load():
        return in_words(lambda: run(words))


def in_words(command: Callable[[], int]) -> int:
    """Runs a command; errors in what was asked for end in one sentence and exit code 1."""
    try:
        return command()
    except ModuleNotFoundError as error:
        print(f"crossmodal: {missing_extra(error)}", file=sys.stderr)
        return 1
    except (ValueError, OSError, ImportError) as error:
        print(f"crossmodal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"crossmodal: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130


def missing_extra(error: ModuleNotFoundError) -> str:
    """Returns the sentence for a package that is not installed, with the command that installs it."""
    package = (error.name or "").partition(".")[0]
    # an installed package that lacks a module of its own: no `pip install` of ours helps
    if not package or package == "crossmodal" or find_spec(package) is not None:
        return str(error)
    return f"{package} is not installed, and what was asked for needs it: {installed_by(package)}"


def run(words: Sequence[str]) -> int:
    """Runs the command that the words name; exit code 2 where there is none."""
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] == "copy":
        return _called("copy", words[1:])
    if len(words) > 1 and words[1] in VERBS:
        from crossmodal.tasks.resolve import find_task

        return verb(words[1], words[2:], find_task(words[0]))
    if len(words) == 1 or words[1] in ("-h", "--help"):
        return task_help(words[0]) if len(words) == 1 or words[0] not in VERBS else tell_unknown(words)
    return tell_unknown(words)


def verb(name: str, argv: Sequence[str], task: object) -> int:
    """Runs a verb for a task, or says why the task has none."""
    absent: dict[str, str] = getattr(task, "absent", {})
    if name in absent:
        print(f"crossmodal: {getattr(task, 'name', '')} has no {name}: {absent[name]}.", file=sys.stderr)
        return 2
    return _called(name, argv, task)


def _called(name: str, *arguments: object) -> int:
    return getattr(import_module(f"crossmodal.cli.{name}"), name)(*arguments) or 0


def usage() -> str:
    """Returns the help of the command itself; imports nothing heavy."""
    from crossmodal.tasks.names import task_names

    lines = [
        "usage: crossmodal TASK VERB …",
        "",
        f"  tasks: {', '.join(task_names())}, or a module of your own that has a TASK",
        "",
        *(f"  crossmodal TASK {name:<10} {about}" for name, about in VERBS.items()),
        "  crossmodal copy TASK/SYSTEM FILE.py   one recipe file, yours to change",
        "",
        "crossmodal TASK --help lists the verbs and systems of a task; crossmodal TASK VERB --help the options.",
    ]
    return "\n".join(lines)


def task_help(name: str) -> int:
    """Prints the verbs and systems of a task; exit code 2 where there is no such task."""
    from crossmodal.tasks.names import task_names

    if name in VERBS or (name not in task_names() and find_spec(name.partition(".")[0]) is None):
        return tell_unknown([name])
    from crossmodal.tasks.names import system_names
    from crossmodal.tasks.resolve import find_task

    task = find_task(name)
    print(f"usage: crossmodal {name} VERB …\n\n  {task.title}: {task.about}\n")
    for known, about in VERBS.items():
        print(f"  {known:<10} {f'(none: {task.absent[known]})' if known in task.absent else about}")
    print(f"\nsystems: {', '.join(system_names(task.name)) or task.system}; --system takes one, or a file of your own")
    return 0


def tell_unknown(words: Sequence[str]) -> int:
    """Prints what may have been meant; returns exit code 2."""
    from crossmodal.tasks.names import task_names

    asked = " ".join(word for word in words[:2] if not word.startswith("-"))
    known = ["copy", *(f"{task} {name}" for task in task_names() for name in VERBS)]
    near = difflib.get_close_matches(asked, known, n=2)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    print(f"{usage()}\n\ncrossmodal: there is no command {asked!r}.{hint}", file=sys.stderr)
    return 2
