"""Files that a system is built from and a shared folder does not hold, such as weights of frozen encoders.

The folder holds their names alone: a path says where they lie on its author's disk, which is nobody's business and of
no use elsewhere. Who loads the folder has them beside it, or says where they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossmodal.injection.encoder import unknown

from .system_options import SystemOptions, path_keywords

LIBRARY = "transformers:"
"""What stands before the folder of a model of that library."""


def named_files(options: SystemOptions) -> dict[str, str]:
    """Returns keyword → name of every file or folder that options name by a path; keywords inside others are dotted."""
    paths = path_keywords(options)
    found = {}
    for name, value in strings("", dict(options.arguments)):
        path = Path(value.removeprefix(LIBRARY))
        if path.is_absolute() or (name in paths and path.exists()):
            found[name] = path.absolute().name
    return found


def with_paths(options: SystemOptions, paths: Mapping[str, str | Path]) -> SystemOptions:
    """Returns options with other paths.

    Args:
        options: The options.
        paths: Keyword → path, as `named_files` names them.
    """

    def replaced(name: str, value: str) -> str:
        library = LIBRARY if value.startswith(LIBRARY) else ""
        return f"{library}{paths[name]}" if name in paths else value

    return options._replace(arguments=_mapped("", dict(options.arguments), replaced))


def find_files(
    names: Mapping[str, str], given: Mapping[str, str | Path], folder: Path, place: str
) -> dict[str, str | Path]:
    """Returns keyword → path of the files that a folder names: those that are given, and those that lie in it.

    Args:
        names: Of `named_files`, as the folder holds them.
        given: Keyword → path, by who loads the folder.
        folder: The folder.
        place: What errors name.

    Raises:
        FileNotFoundError: If one is neither given nor there, naming its keyword.
        ValueError: If one is given that the folder does not name.
    """
    for name in given:
        if name not in names:
            raise ValueError(f"load: files= of {place}: {unknown('file', name, names)}")
    # the last part alone: a name from a downloaded folder leads nowhere else
    found = {name: given.get(name, folder / Path(str(file)).name) for name, file in names.items()}
    missing = [name for name, path in found.items() if not Path(path).exists()]
    if missing:
        said = ", ".join(f"{names[name]!r} for {name}" for name in missing)
        paths = ", ".join(f"{name!r}: {str(given.get(name, 'PATH'))!r}" for name in missing)
        there = "which is not there" if missing[0] in given else "which a shared folder does not hold"
        raise FileNotFoundError(
            f"load: {place} was built from {said}, {there}: pass files={{{paths}}} with its path, or put it into the "
            "folder."
        )
    return found


def strings(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the strings in nested dictionaries and lists by dotted names."""
    inner = enumerate(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    for key, part in value.items() if isinstance(value, Mapping) else inner:
        yield from strings(f"{name}.{key}" if name else str(key), part)
    if isinstance(value, str):
        yield name, value


def _mapped(name: str, value: Any, change: Callable[[str, str], str]) -> Any:
    """Returns nested dictionaries and lists with every string changed; names as of `strings`."""
    if isinstance(value, Mapping):
        return {key: _mapped(f"{name}.{key}" if name else str(key), part, change) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_mapped(f"{name}.{at}" if name else str(at), part, change) for at, part in enumerate(value)]
    return change(name, value) if isinstance(value, str) else value
