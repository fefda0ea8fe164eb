"""`crossmodal copy ave mine/`: a recipe's files become the user's own."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from crossmodal.cli.main import COMMANDS
from crossmodal.io import write_whole

RECIPES = {
    "ave": (
        "ave",
        "command.ave_commands",
        "command.ave_features",
        "command.ave_options",
        "command.task",
        "command.task_commands",
        "command.task_options",
        "any_pair",
        "audio_visual",
        "careless",
        "clip_data",
        "clip_training",
        "dg_sct",
        "dg_sct_released",
        "event_data",
        "event_training",
        "lavish",
        "lite",
        "command.named",
        "own_data",
        "released_training",
        "training",
    ),
}
"""Recipe → the modules it is made of."""


def copy(argv: Sequence[str]) -> None:
    """Copies a recipe into a folder that then is a package of its own; refuses to overwrite a file."""
    parser = argparse.ArgumentParser(
        prog="crossmodal copy", description="Copies a recipe's files, to make it your own."
    )
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("folder", type=Path, help="a new folder whose name can be imported, such as mine/")
    given = parser.parse_args(list(argv))
    folder = given.folder
    if not folder.name.isidentifier():
        raise ValueError(f"copy: {folder.name!r} cannot be imported: choose a name of letters, digits and _.")
    recipes, modules = Path(__file__).parents[1], RECIPES[given.recipe]
    names = [module.rpartition(".")[2] for module in modules]
    present = [file.name for name in (*names, "__init__", "__main__") if (file := folder / f"{name}.py").exists()]
    if present:
        raise FileExistsError(f"copy: {folder}/ has {', '.join(present)} already: nothing was copied; choose another.")
    folder.mkdir(parents=True, exist_ok=True)
    for module, name in zip(modules, names, strict=True):
        source = recipes.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        write_whole(folder / f"{name}.py", owned(source, f"recipes.{module}", names, folder.name))
    write_whole(folder / "__init__.py", f'"""The recipe {given.recipe!r} of crossmodal, copied: yours to change."""\n')
    write_whole(folder / "__main__.py", own_main(given.recipe, folder.name))
    print(f"copied {len(names)} files to {folder}/; try: python -m {folder.name} fit")


def owned(source: str, module: str, names: Sequence[str], package: str) -> str:
    """The source of `module`, a dotted name, for another package: what is not copied along comes from `recipes`."""

    def imported(match: re.Match[str]) -> str:
        whole = ".".join([*module.split(".")[: -len(match[1])], match[2]])
        own = whole.rpartition(".")[2]
        return f"from .{own} import" if own in names else f"from {whole} import"

    def named(match: re.Match[str]) -> str:
        return f'"{package}.{match[1]}.' if match[1] in names else match[0]

    source = re.sub(r"from (\.+)([\w.]+) import", imported, source)
    return re.sub(r'"recipes\.(?:\w+\.)??(\w+)\.(?=\w+")', named, source)


MAIN = '''"""`python -m` this package: the recipe's commands, from the files beside this one."""

import sys

from crossmodal.cli.main import in_words, run

COMMANDS = {{
{commands}
}}
USAGE = f"usage: python -m {package} {{' | '.join(COMMANDS)}} …"

sys.exit(in_words(lambda: run(sys.argv[1:], COMMANDS, USAGE)))
'''


def own_main(recipe: str, package: str) -> str:
    """The `__main__.py` of a copy: those commands of the recipe whose modules are copied along."""
    copied = {f"recipes.{module}" for module in RECIPES[recipe]}
    own = {words.split()[1]: path for words, path in COMMANDS.items() if path.rpartition(".")[0] in copied}
    lines = [f'    "{word}": "{".".join([package, *path.split(".")[-2:]])}",' for word, path in own.items()]
    return MAIN.format(commands="\n".join(lines), package=package)
