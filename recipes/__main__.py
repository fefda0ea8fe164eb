"""The command `crossmodal`: recipes from the command line."""

import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

USAGE = """usage: crossmodal COMMAND …

  crossmodal ave fit                 train DG-SCT on the built-in world, then test it (--help: all options)
  crossmodal ave fit --data.root AVE train it on a data set in AVE's layout
  crossmodal ave test                test the newest run, or --run runs/NAME
  crossmodal ave predict CLIP.mp4    the event of every second of a video file
  crossmodal copy ave mine/          copy the recipe's files, to make it your own
"""
COMMANDS = ("fit", "test", "predict")
"""Of every task."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.path.insert(0, os.getcwd())  # so that `--model.spatial mylab.TopK` finds mylab.py here
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    return in_words(lambda: run(words))


def in_words(command: Callable[[], int]) -> int:
    """What a command returns; errors in what was asked for end in one sentence and exit code 1."""
    try:
        return command()
    except (ValueError, OSError, ImportError) as error:
        print(f"crossmodal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"crossmodal: {str(error) or 'interrupted'}", file=sys.stderr)
        return 130


def run(words: list[str]) -> int:
    """Dispatches; imports the heavy parts only where they are needed."""
    if words[0] == "copy":
        from .copying import copy

        copy(words[1:])
        return 0
    if words[0] == "ave" and words[1:2] and words[1] in COMMANDS:
        from . import ave_commands

        return chosen(ave_commands, words[1:])
    print(USAGE, file=sys.stderr)
    print(f"crossmodal: there is no command {' '.join(words[:2])!r}.", file=sys.stderr)
    return 2


def chosen(commands: ModuleType, words: Sequence[str]) -> int:
    """Runs `fit`, `test` or `predict` of a task's commands, as the first word says."""
    if not words or words[0] not in COMMANDS:
        raise ValueError(f"say one of {', '.join(COMMANDS)}; got {' '.join(words[:1]) or 'nothing'!r}.")
    getattr(commands, words[0])(words[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
