"""The results: one JSON file, written anew, whole, after every measurement; a second run goes on where one stopped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossmodal.io import write_whole

Found = dict[str, Any]
"""What one measurement found: plain numbers."""


class Results:
    """Measurements by group and name, with the commit and the load of the machine at each."""

    def __init__(self, file: Path, machine: Mapping[str, Any]):
        """Reads the measurements that a file holds.

        Args:
            file: Where they are kept; need not exist.
            machine: What the benchmarks run on.

        Raises:
            ValueError: If the file holds results of another machine.
        """
        self.file = file
        self.content: dict[str, Any] = {"machine": dict(machine), "measurements": {}}
        if file.is_file():
            self.content = json.loads(file.read_text(encoding="utf-8"))
            if self.content["machine"] != machine:
                raise ValueError(
                    f"benchmarks: {file} holds results of another machine: {self.content['machine']}, this is "
                    f"{dict(machine)}; give another --out, or remove the file."
                )

    def has(self, group: str, name: str) -> bool:
        """Whether it has been measured."""
        return name in self.of(group)

    def of(self, group: str) -> dict[str, Found]:
        """All that was found of a group, by name."""
        return self.content["measurements"].get(group, {})

    def add(self, group: str, name: str, found: Found) -> None:
        """Keeps what was found; the file is written whole or not at all."""
        self.content["measurements"].setdefault(group, {})[name] = found
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, json.dumps(self.content, indent=1) + "\n")

    def forget(self, group: str) -> None:
        """Drops what was found of a group, so that it is measured again."""
        self.content["measurements"].pop(group, None)
