"""The command `crossmodal`: recipes from the command line."""

import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

COMMANDS = {
    "ave fit": "crossmodal.cli.predict.fit",
    "ave test": "crossmodal.cli.predict.test",
    "ave predict": "crossmodal.cli.predict.predict",
    "ave reproduce": "crossmodal.cli.reproduce.reproduce",
    "ave features": "crossmodal.cli.features.features",
    "ave look": "crossmodal.cli.look.look",
    "ave figure": "crossmodal.cli.figure.figure",
    "ave cost": "crossmodal.cli.cost.print_cost",
    "ave ablate": "crossmodal.cli.ablate.ablate",
    "classify fit": "crossmodal.cli.classify_commands.fit",
    "classify test": "crossmodal.cli.classify_commands.test",
    "classify predict": "crossmodal.cli.classify_commands.predict",
    "prepare-ave": "crossmodal.cli.prepare_ave.prepare",
    "copy": "crossmodal.cli.copy.copy",
}
"""Words → `module.function(argv)`, imported once it is asked for; it returns an exit code, or `None` for 0."""

USAGE = """usage: crossmodal COMMAND …

  crossmodal ave fit                 train DG-SCT on the built-in world, then test it (--help: all options)
  crossmodal ave fit --data.root AVE train it on a data set in AVE's layout
  crossmodal ave test                test the newest run, or --run runs/NAME
  crossmodal ave predict CLIP.mp4    the event of every second of a video file
  crossmodal ave reproduce --data AVE --weights FILE   the released DG-SCT on the test split
  crossmodal ave features VIDEOS OUT.h5
                                     what a run makes of every second of a folder of video files
  crossmodal ave look                maps, and what changes when a guide is taken away: do they point at what sounds?
  crossmodal ave figure              t-SNE of features, original against guided, with probes and silhouettes
  crossmodal ave cost                what a training step costs, part by part, before any weight exists
  crossmodal ave ablate --without spatial --guide shuffled
                                     what every part is worth: variants and seeds, in one table
  crossmodal classify fit --data.folder VIDEOS --data.labels FILE.csv
                                     train a classifier on your own videos, a label each (ave fit: events in time)
  crossmodal classify test           test the newest run, or --run runs/NAME
  crossmodal classify predict CLIP.mp4   the classes of a video file
  crossmodal prepare-ave VIDEOS AVE  bring a folder of video files to AVE's layout
  crossmodal copy ave mine/          copy the recipe's files, to make it your own
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.path.insert(0, os.getcwd())  # so that `--model.spatial mylab.TopK` finds mylab.py here
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


def run(words: Sequence[str], commands: Mapping[str, str] = COMMANDS, usage: str = USAGE) -> int:
    """Runs the command that the first words name; the rest are its arguments. Exit code 2 where there is none."""
    if not words or words[0] in ("-h", "--help"):
        print(usage)
        return 0 if words else 2
    for name in (" ".join(words[:2]), " ".join(words[:1])):
        if name in commands:
            module, _, function = commands[name].rpartition(".")
            return getattr(import_module(module), function)(words[len(name.split()) :]) or 0
    asked = " ".join(word for word in words[:2] if not word.startswith("-"))
    near = difflib.get_close_matches(asked, commands) or difflib.get_close_matches(" ".join(words[:1]), commands)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else f" There are {', '.join(commands)}."
    print(f"{usage}\ncrossmodal: there is no command {asked!r}.{hint}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
