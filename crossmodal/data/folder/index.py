"""Index of the clips of a folder: which seconds of which file, and which rows of the table label them."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .labels import Labels, Rows, event_seconds
from .windowing import Span, Windowing

Column = NDArray[np.int32]


class ClipIndex(NamedTuple):
    """All clips of a split, column by column, 28 bytes each, by file, then by label, then by time.

    Attributes:
        file: Index of the file.
        label: Index of the class.
        first: First second of the span.
        length: Seconds of the span.
        row: First row of the table with this file and this label.
        stop: Row behind the last one with this file and this label.
        begins: First second of the span that the event holds.
    """

    file: Column
    label: Column
    first: Column
    length: Column
    row: Column
    stop: Column
    begins: Column

    def span(self, item: int) -> Span:
        """Returns the seconds of one clip."""
        return Span(int(self.first[item]), int(self.length[item]))


def build_index(labels: Labels, wanted: NDArray[np.int8], windowing: Windowing, segments: int) -> ClipIndex:
    """Lists the clips of a table, each span of a file with a label once.

    Args:
        labels: The table.
        wanted: For each file whether its rows are taken.
        windowing: Policy that cuts files into clips.
        segments: Seconds of a clip.
    """
    rows = labels.rows
    chosen = np.flatnonzero(wanted[rows.file])
    found: list[tuple[int, ...]] = []
    for first, stop in _groups(rows, chosen):
        spans: dict[Span, int] = {}
        for row in range(first, stop):
            start, end = float(rows.start[row]), float(rows.end[row])
            begin = -1 if np.isnan(start) else event_seconds(start, end)[0]
            for span in windowing.spans(start, end, segments):
                inside = max(begin - span.first, 0)
                spans[span] = min(inside, spans.get(span, inside))
        file, label = int(rows.file[first]), int(rows.label[first])
        found += [(file, label, *span, first, stop, spans[span]) for span in sorted(spans)]
    # copied, so that every column lies in one piece
    return ClipIndex(*np.array(found, np.int32).T.copy())


def _groups(rows: Rows, chosen: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Returns where the rows of one file with one label begin and stop."""
    pairs = np.stack((rows.file[chosen], rows.label[chosen]), axis=1)
    new = np.flatnonzero(np.any(pairs[1:] != pairs[:-1], axis=1)) + 1
    begins, stops = [0, *new.tolist()], [*new.tolist(), len(chosen)]
    return [(int(chosen[begin]), int(chosen[stop - 1]) + 1) for begin, stop in zip(begins, stops, strict=True)]


def clip_names(items: ClipIndex, labels: Labels) -> list[str]:
    """Returns a unique name for every clip.

    It is the file, with the clip's first second where the file has several, and its label where the span has several.
    """
    files, spans = items.file.tolist(), list(zip(items.file.tolist(), items.first.tolist(), strict=True))
    of_file, of_span = Counter(files), Counter(spans)
    names = []
    for file, span, label in zip(files, spans, items.label.tolist(), strict=True):
        name = labels.files[file]
        name += f"@{span[1]}s" if of_file[file] > 1 else ""
        names.append(name + (f"#{labels.classes[label]}" if of_span[span] > 1 else ""))
    return names
