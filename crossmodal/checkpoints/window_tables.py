"""What a file says beside its weights: windows, masks, indices, and the window trained with first.

Names and shapes of weights do not depend on these, but the outputs do: a number that is in no weight is compared where
the file holds it, in a table or in its name.
"""

import math
import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..attention import ContinuousPosition, CosineWindowAttention, PositionTable, WindowAttention
from ..attention.position import log_coordinates
from .rules import Dropped, Finding

CPU = torch.device("cpu")
PUBLISHED = re.compile(r"window(\d+)(?:to\d+)?_(?:(\d+)to\d+|(\d+))")
"""A published name, as `swinv2_base_window12to16_192to256`: window and picture of the first training; `to` is rare."""


def read_coordinates(position: nn.Module, table: Tensor) -> Finding | None:
    """Finds in a table of log-spaced coordinates the window that a continuous position was trained with first."""
    if not isinstance(position, ContinuousPosition) or table.is_meta:
        return None
    first = first_window(table)
    if first is None:
        return Finding("a table of relative positions in the file is none that Swin-V2 computes: not used")
    own = max(position.window)
    built = own if position.pretrained_window is None else position.pretrained_window
    if built == first or own == 1:
        return None
    if position.pretrained_window is not None:
        return Finding("", (f"pretrained window {first}", f"pretrained window {position.pretrained_window}"))
    note = f"its tables say that position networks were trained with a window of {first} first; set here, too"
    return Finding(note, apply=lambda: position.trained_with(first))


def first_window(table: Tensor) -> int | None:
    """Returns the side of the window by which the coordinates in `(1, rows, columns, 2)` were scaled, if there is one.

    A table of a single position says nothing, and is taken for that of the smallest window.
    """
    if table.ndim != 4 or table.shape[-1] != 2 or not table.shape[1] % 2 or not table.shape[2] % 2:
        return None
    window = (table.shape[1] // 2 + 1, table.shape[2] // 2 + 1)
    furthest = table.double().amax().item()
    first = 2 if furthest <= 0 else 1 + round(8 * (max(window) - 1) / max(math.expm1(furthest * math.log(8)), 1e-3))
    expected = log_coordinates(window, (first, first), device=CPU).view(*table.shape[1:])
    return first if torch.allclose(table[0].cpu().float(), expected, atol=1e-3) else None


def read_index(position: nn.Module, index: Tensor) -> Finding | None:
    """Compares the index of relative positions with the one computed here."""
    if not isinstance(position, ContinuousPosition | PositionTable) or index.is_meta:
        return None
    ours = position.index.on(CPU)
    if ours.shape != index.shape:
        return Finding(f"its index of relative positions is {tuple(index.shape)}, here {tuple(ours.shape)}")
    same = torch.equal(ours, index.cpu().to(ours.dtype))
    return None if same else Finding("its index of relative positions is NOT the one computed here")


def read_mask(attention: nn.Module, mask: Tensor) -> Finding | None:
    """Compares the mask of shifted windows with the one computed here."""
    if not isinstance(attention, WindowAttention | CosineWindowAttention) or mask.is_meta:
        return None
    ours = attention.windows.mask.on(CPU).squeeze(1)
    if ours.shape != mask.shape:
        return Finding(f"its mask of shifted windows is {tuple(mask.shape)}, here {tuple(ours.shape)}")
    same = torch.equal(ours, mask.cpu().to(ours.dtype))
    return None if same else Finding("its mask of shifted windows is NOT the one computed here")


MASK = Dropped("the mask of shifted windows, computed here", "attention.body", read_mask)
INDEX = Dropped("the index of relative positions, computed here", "attention.body.position", read_index)
COORDINATES = Dropped(
    "the coordinates of relative positions, computed here", "attention.body.position", read_coordinates
)


def check_pretrained_window(module: nn.Module, source: str, tables: Iterable[str], importer: str) -> tuple[str, ...]:
    """Compares the windows of the first training with what the name of a file says, where it holds no tables.

    Args:
        module: The model to fill.
        source: The file.
        tables: Names of the tables of coordinates in the file.
        importer: The function that errors name.

    Returns:
        A note, where neither file nor name says it.

    Raises:
        ValueError: If the name says another window.
    """
    positions = [part for part in module.modules() if isinstance(part, ContinuousPosition)]
    if any(True for _ in tables) or not positions:
        return ()
    built = list(dict.fromkeys(part.pretrained_window or max(part.window) for part in positions))
    if not (said := PUBLISHED.search(source)):
        return (
            f"the window that its position networks were trained with first is not in the file: taken for {built}; "
            "published weights with `to` in their name need pretrained_windows=",
        )
    window, picture = int(said[1]), int(said[2] or said[3])
    windows = tuple(min(window, picture // (4 << stage)) for stage in range(4))
    if [*dict.fromkeys(windows)][: len(built)] == built:
        return ()
    if said[2] is None:
        return (f"its name says that position networks were trained with windows {windows}; taken for {built}",)
    raise ValueError(
        f"{importer}: {source} was trained with the windows {windows} and fine-tuned with another, but this encoder's "
        f"position networks read offsets in lengths of {built}: build it with pretrained_windows={windows}."
    )
