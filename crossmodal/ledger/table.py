"""The cost of every part of a model: five numbers that add up, as a table, as Markdown, as a dictionary."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, Any

from ..data.extras import need
from ..injection.encoder import unknown

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = {
    "parameters": "{} parameters",
    "trained": "{} trained",
    "forward": "{}FLOP forward",
    "backward": "{}FLOP backward",
    "saved": "{}B saved",
}
UNITS = {"G": 10**9, "M": 10**6, "k": 10**3, "": 1}


@dataclass(frozen=True)
class ModuleCost:
    """Holds the cost of one module, or of several: costs can be added.

    Attributes:
        parameters: Number of parameters.
        trained: Number of parameters that take a gradient.
        forward: Floating-point operations of matrix products, convolutions and attention, a multiplication and an
            addition being two.
        backward: The same of the backward; what a checkpoint computes anew counts here.
        saved: Bytes kept from the forward for the backward.
    """

    parameters: int = 0
    trained: int = 0
    forward: int = 0
    backward: int = 0
    saved: int = 0

    @property
    def step(self) -> int:
        """Floating-point operations of a training step: forward and backward."""
        return self.forward + self.backward

    def __add__(self, other: "ModuleCost") -> "ModuleCost":
        return ModuleCost(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Cost:
    """Holds what a training step of a model costs, part by part; `print` shows the table.

    Attributes:
        shares: Path of every module → its own cost, its submodules' not included.
        adapter_file: Bytes of what training changes, as `save_adapters` writes it.
        floor: Forward of the encoders and gradients of their activations, what any method pays that trains through
            them; `None` where the model holds no lockstep.
    """

    shares: Mapping[str, ModuleCost]
    adapter_file: int
    floor: ModuleCost | None = None

    @property
    def total(self) -> ModuleCost:
        """Cost of the whole model."""
        return self[""]

    @property
    def over_floor(self) -> float | None:
        """Operations of a training step over those of the floor."""
        return self.total.step / self.floor.step if self.floor and self.floor.step else None

    def __getitem__(self, path: str) -> ModuleCost:
        """Returns the cost of the module at `path`, submodules included.

        Args:
            path: Path of a module, as `named_modules` gives it.

        Raises:
            KeyError: If there is no such module; the message names near misses.
        """
        if path not in self.shares:
            raise KeyError(unknown("module", path, self.shares))
        inside = [share for name, share in self.shares.items() if not path or f"{name}.".startswith(f"{path}.")]
        return sum(inside, ModuleCost())

    def rows(self, depth: int = 2) -> Iterator[tuple[str, ModuleCost]]:
        """Yields path and cost of every module that costs anything, then of the whole model.

        Args:
            depth: Number of names in the longest path.
        """
        for path in self.shares:
            if path and path.count(".") < depth and (share := self[path]) != ModuleCost():
                yield path, share
        yield "total", self.total

    def as_dict(self, depth: int = 2) -> dict[str, Any]:
        """Returns plain numbers, as for JSON: parameters, operations and bytes.

        Args:
            depth: Number of names in the longest path.
        """
        return {
            "parts": {path: asdict(share) for path, share in self.rows(depth)},
            "step": self.total.step,
            "adapter_file": self.adapter_file,
            "floor": {**asdict(self.floor), "step": self.floor.step} if self.floor else None,
            "over_floor": self.over_floor,
        }

    def frame(self, depth: int = 2) -> "DataFrame":
        """Returns a pandas table of plain numbers: a row a part, a column a number.

        Args:
            depth: Number of names in the longest path.

        Raises:
            ImportError: If pandas is not installed.
        """
        pandas = need("pandas", "Cost.frame")
        return pandas.DataFrame({path: asdict(share) for path, share in self.rows(depth)}).T

    def table(self, depth: int = 2) -> str:
        """Writes the table in aligned columns.

        Args:
            depth: Number of names in the longest path.

        Raises:
            ImportError: If pandas is not installed.
        """
        frame = self._texts(depth).rename(index=lambda path: "  " * path.count(".") + path.rpartition(".")[2])
        room = {name: 1 + max(map(len, [name, *column])) for name, column in frame.items()}
        return "\n".join([frame.rename_axis(columns="part").to_string(col_space=room), *self._notes()])

    def markdown(self, depth: int = 2) -> str:
        """Writes the table in Markdown.

        Args:
            depth: Number of names in the longest path.

        Raises:
            ImportError: If pandas or tabulate is not installed.
        """
        frame = self._texts(depth).rename(index="`{}`".format).rename_axis("part").reset_index()
        sides = ["left", *["right"] * len(COLUMNS)]
        return "\n".join([frame.to_markdown(index=False, colalign=sides, disable_numparse=True), "", *self._notes()])

    def __str__(self) -> str:
        return self.table()

    def _texts(self, depth: int) -> "DataFrame":
        """Returns the table with every number in the unit of its column."""
        frame = self.frame(depth).astype(object)
        counted, run = unit_of(self.total.parameters), unit_of(self.total.forward)
        units = dict(zip(COLUMNS, (counted, counted, run, run, unit_of(self.total.saved)), strict=True))
        for name, unit in units.items():
            frame[name] = [in_unit(number, unit) for number in frame[name]]
        return frame.rename(columns={name: title.format(units[name]).strip() for name, title in COLUMNS.items()})

    def _notes(self) -> list[str]:
        notes = [
            f"training step   {with_unit(self.total.step)}FLOP",
            f"adapter file    {with_unit(self.adapter_file)}B",
        ]
        if self.floor and self.over_floor:
            notes.append(
                f"floor           {with_unit(self.floor.step)}FLOP, {with_unit(self.floor.saved)}B saved; the step is "
                f"{self.over_floor:.2f} times the floor"
            )
        return notes


def unit_of(number: int) -> str:
    """Returns the largest of G, M, k and nothing that `number` reaches."""
    return next((unit for unit, size in UNITS.items() if number >= size), "")


def in_unit(number: int, unit: str) -> str:
    """Writes `number` in a unit: with two decimals, or with none where there is no unit."""
    return f"{number / UNITS[unit]:,.2f}" if unit else f"{number:,}"


def with_unit(number: int) -> str:
    """Writes `number` in its own unit, as `1,991.70 G`."""
    return f"{in_unit(number, unit_of(number))} {unit_of(number)}"
