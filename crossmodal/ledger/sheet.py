"""The sheet: what every part of a model costs, as a table, as Markdown, as a dictionary."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..injection.encoder import unknown
from .share import Share

COLUMNS = {
    "parameters": "{} parameters",
    "trained": "{} trained",
    "forward": "{}FLOP forward",
    "backward": "{}FLOP backward",
    "saved": "{}B saved",
}
UNITS = {"G": 10**9, "M": 10**6, "k": 10**3, "": 1}


@dataclass(frozen=True)
class Cost:
    """What a model costs, part by part. `print` shows the table.

    - `shares`: path of every module → its own share, its submodules' not included.
    - `adapter_file`: bytes of what training changes, as `save_adapters` writes it.
    - `floor`: forward of the encoders and gradients of their activations, what any method pays that trains through
      them; `None` where the model holds no lockstep.
    """

    shares: Mapping[str, Share]
    adapter_file: int
    floor: Share | None = None

    @property
    def total(self) -> Share:
        """The whole model."""
        return self[""]

    @property
    def over_floor(self) -> float | None:
        """Operations of a training step over those of the floor."""
        return self.total.step / self.floor.step if self.floor and self.floor.step else None

    def __getitem__(self, path: str) -> Share:
        """The share of the module at `path`, submodules included; `KeyError` with near misses where there is none."""
        if path not in self.shares:
            raise KeyError(unknown("module", path, self.shares))
        inside = [share for name, share in self.shares.items() if not path or f"{name}.".startswith(f"{path}.")]
        return sum(inside, Share())

    def rows(self, depth: int = 2) -> Iterator[tuple[str, Share]]:
        """Path and share of every module down to `depth` dots and names, of those that cost anything."""
        for path in self.shares:
            if path and path.count(".") < depth and (share := self[path]) != Share():
                yield path, share
        yield "total", self.total

    def as_dict(self, depth: int = 2) -> dict[str, Any]:
        """Plain numbers, as for JSON: parameters, operations and bytes."""
        return {
            "parts": {path: asdict(share) for path, share in self.rows(depth)},
            "step": self.total.step,
            "adapter_file": self.adapter_file,
            "floor": {**asdict(self.floor), "step": self.floor.step} if self.floor else None,
            "over_floor": self.over_floor,
        }

    def markdown(self, depth: int = 2) -> str:
        """The table in Markdown."""
        head, *body = self._cells(depth)
        lines = [head, ["---", *["---:"] * len(COLUMNS)], *([f"`{path}`", *numbers] for path, *numbers in body)]
        return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", *self._notes()])

    def table(self, depth: int = 2) -> str:
        """The table in aligned columns."""
        head, *body = self._cells(depth)
        lines = [head, *([_indented(path), *numbers] for path, *numbers in body)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = ["  ".join([first.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]) for first, *numbers in lines]
        return "\n".join([*rows, *self._notes()])

    def __str__(self) -> str:
        return self.table()

    def _cells(self, depth: int) -> list[list[str]]:
        counted, run = unit_of(self.total.parameters), unit_of(self.total.forward)
        units = dict(zip(COLUMNS, (counted, counted, run, run, unit_of(self.total.saved)), strict=True))
        head = ["part", *(title.format(units[name]).strip() for name, title in COLUMNS.items())]
        return [head] + [
            [path, *(in_units(getattr(share, name), unit) for name, unit in units.items())]
            for path, share in self.rows(depth)
        ]

    def _notes(self) -> list[str]:
        notes = [
            f"training step   {shown(self.total.step)}FLOP",
            f"adapter file    {shown(self.adapter_file)}B",
        ]
        if self.floor and self.over_floor:
            notes.append(
                f"floor           {shown(self.floor.step)}FLOP, {shown(self.floor.saved)}B saved; the step is "
                f"{self.over_floor:.2f} times the floor"
            )
        return notes


def unit_of(number: int) -> str:
    """The largest of G, M, k and nothing that `number` reaches."""
    return next((unit for unit, size in UNITS.items() if number >= size), "")


def in_units(number: int, unit: str) -> str:
    """`number` in `unit`: two decimals, or none where it needs none."""
    return f"{number / UNITS[unit]:,.2f}" if unit else f"{number:,}"


def shown(number: int) -> str:
    """`number` in its own unit, as `1,991.70 G`."""
    return f"{in_units(number, unit_of(number))} {unit_of(number)}"


def _indented(path: str) -> str:
    return "  " * path.count(".") + path.rpartition(".")[2]
