"""`crossmodal copy ave/dg_sct mine.py`: one recipe file becomes the user's own, and runs at once."""

import re
from collections.abc import Sequence
from pathlib import Path

from crossmodal.io import write_whole
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.names import PACKAGE, system_names, task_names


def copy(argv: Sequence[str]) -> None:
    """Copies a recipe file; refuses to overwrite one."""
    parser = OptionParser(prog="crossmodal copy", description="Copies a recipe file, to make it your own.")
    parser.add_argument("recipe", metavar="TASK/SYSTEM", help=f"one of {', '.join(recipes())}")
    parser.add_argument("file", type=Path, metavar="FILE.py", help="a new file whose name can be imported: mine.py")
    given = parser.parse_args(list(argv))
    name, file = given.file.stem, given.file
    if given.recipe not in recipes():
        raise ValueError(f"copy: there is no recipe {given.recipe!r}; there are {', '.join(recipes())}.")
    if file.suffix != ".py" or not name.isidentifier():
        raise ValueError(f"copy: {file} cannot be imported: choose a name of letters, digits and _ that ends in .py.")
    if file.exists():
        raise FileExistsError(f"copy: {file} exists: nothing was copied; choose another name.")
    task, _, system = given.recipe.partition("/")
    source = (PACKAGE / "recipes" / task / f"{system}.py").read_text(encoding="utf-8")
    write_whole(file, renamed(source, system, name))
    print(f"copied to {file}; try: crossmodal {task} fit --system {name}")


def recipes() -> list[str]:
    """Returns the recipes that can be copied, `"ave/dg_sct"`."""
    return [f"{task}/{system}" for task in task_names() for system in system_names(task)]


def renamed(source: str, system: str, name: str) -> str:
    """Returns a recipe's source with its function named as the new file, by which `--system` finds it."""
    called = re.sub(rf"(?<![\w.]){system}(?=[(,])", name, source)  # not in imports, whose names nothing follows
    return re.sub(rf"^{system} = ", f"{name} = ", called, flags=re.MULTILINE)
