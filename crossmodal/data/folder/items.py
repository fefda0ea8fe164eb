"""The items of a folder: which seconds of which file, and which rows of the table label them."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cutting import Cut, Span
from .labels import Labels, Rows, seconds

Column = NDArray[np.int32]


class Items(NamedTuple):
    """All clips of a split, column by column, 28 bytes each, by file, then by label, then by time.

    - `file`, `label`: indices. `first`, `length`: the span, in seconds.
    - `row`, `stop`: the rows of this file with this label are those from `row` up to, not with, `stop`.
    - `begins`: the first second of the span that the event holds.
    """

    file: Column
    label: Column
    first: Column
    length: Column
    row: Column
    stop: Column
    begins: Column

    def span(self, item: int) -> Span:
        """The seconds of one item."""
        return Span(int(self.first[item]), int(self.length[item]))


def items_of(labels: Labels, wanted: NDArray[np.int8], cut: Cut, segments: int) -> Items:
    """The clips that the rows of the `wanted` files give, each span of a file with a label once."""
    rows = labels.rows
    chosen = np.flatnonzero(wanted[rows.file])
    found: list[tuple[int, ...]] = []
    for first, stop in _groups(rows, chosen):
        spans: dict[Span, int] = {}
        for row in range(first, stop):
            start, end = float(rows.start[row]), float(rows.end[row])
            begin = -1 if np.isnan(start) else seconds(start, end)[0]
            for span in cut.spans(start, end, segments):
                inside = max(begin - span.first, 0)
                spans[span] = min(inside, spans.get(span, inside))
        file, label = int(rows.file[first]), int(rows.label[first])
        found += [(file, label, *span, first, stop, spans[span]) for span in sorted(spans)]
    return Items(*np.array(found, np.int32).T.copy())


def _groups(rows: Rows, chosen: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Where the rows of one file with one label begin and stop."""
    pairs = np.stack((rows.file[chosen], rows.label[chosen]), axis=1)
    new = np.flatnonzero(np.any(pairs[1:] != pairs[:-1], axis=1)) + 1
    begins, stops = [0, *new.tolist()], [*new.tolist(), len(chosen)]
    return [(int(chosen[begin]), int(chosen[stop - 1]) + 1) for begin, stop in zip(begins, stops, strict=True)]


def names_of(items: Items, labels: Labels) -> list[str]:
    """A name for every item: its file, with its first second where the file has several, and its label if need be."""
    files, spans = items.file.tolist(), list(zip(items.file.tolist(), items.first.tolist(), strict=True))
    of_file, of_span = Counter(files), Counter(spans)
    names = []
    for file, span, label in zip(files, spans, items.label.tolist(), strict=True):
        name = labels.files[file]
        name += f"@{span[1]}s" if of_file[file] > 1 else ""
        names.append(name + (f"#{labels.classes[label]}" if of_span[span] > 1 else ""))
    return names
