"""Names of tasks and systems, read off the files that they stand in; imports nothing of them."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def task_names() -> list[str]:
    """Returns the names of the tasks of this library: the files of `crossmodal/tasks/` that define `TASK`."""
    # read, not imported: `crossmodal --help` would wait seconds for torch
    return [file.stem for file in sorted((PACKAGE / "tasks").glob("*.py")) if "\nTASK = " in _text(file)]


def system_names(task: str) -> list[str]:
    """Returns the systems of a task: the files of its recipe folder with `SETTINGS` and a function of their name."""
    folder = PACKAGE / "recipes" / task
    return [file.stem for file in sorted(folder.glob("*.py")) if _is_recipe(file)]


def _is_recipe(file: Path) -> bool:
    text = _text(file)
    return "SETTINGS" in text and (f"\ndef {file.stem}(" in text or f"\n{file.stem} = " in text)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
