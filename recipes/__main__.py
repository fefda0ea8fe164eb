"""The command `crossmodal`: recipes from the command line."""

import os
import sys
from collections.abc import Sequence

USAGE = """usage: crossmodal COMMAND …

  crossmodal ave fit                 train DG-SCT on the built-in world, then test it (--help: all options)
  crossmodal ave fit --data.root AVE train it on a data set in AVE's layout
  crossmodal ave test                test the newest run, or --run runs/NAME
  crossmodal ave predict CLIP.mp4    the event of every second of a video file
  crossmodal copy ave mine/          copy the recipe's files, to make it your own
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; errors in what was asked for end in one sentence and exit code 1."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.path.insert(0, os.getcwd())  # so that `--model.spatial mylab.TopK` finds mylab.py here
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    try:
        return run(words)
    except (ValueError, OSError, ImportError) as error:
        print(f"crossmodal: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"crossmodal: {error or 'interrupted'}", file=sys.stderr)
        return 130


def run(words: list[str]) -> int:
    """Dispatches; imports the heavy parts only where they are needed."""
    if words[0] == "copy":
        from .copying import copy

        copy(words[1:])
    elif words[:1] == ["ave"] and words[1:2] in (["fit"], ["test"], ["predict"]):
        from . import ave_commands

        getattr(ave_commands, words[1])(words[2:])
    else:
        print(USAGE, file=sys.stderr)
        print(f"crossmodal: there is no command {' '.join(words[:2])!r}.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
