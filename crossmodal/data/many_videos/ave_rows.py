"""Annotation files of AVE beside prepared clips: checked, copied, reported where they are missing."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from crossmodal.data.annotations import ANNOTATION_HEADER, AVE_CLASSES, Event, read_classes, read_events
from crossmodal.data.ave import SEGMENTS
from crossmodal.data.same_text import same_name
from crossmodal.io import write_whole

ALL, CATEGORIES = "Annotations.txt", "categories.txt"
SPLIT_FILES = ("trainSet.txt", "valSet.txt", "testSet.txt")


class AnnotationFiles(NamedTuple):
    """Annotation files of a folder: the events of each file that is there, and their lines."""

    folder: Path
    tables: dict[str, list[tuple[Event, str]]]

    @property
    def absent(self) -> list[str]:
        """Returns the files that training needs and the folder has not."""
        return [name for name in (ALL, *SPLIT_FILES) if name not in self.tables]

    def lacking(self, known: Collection[str]) -> dict[str, list[str]]:
        """Returns the videos that rows name and `known` has not → the files of those rows."""
        found: dict[str, list[str]] = {}
        there = {*map(same_name, known)}
        for name, rows in self.tables.items():
            for video in {event.video for event, _ in rows}:
                if same_name(video) not in there:
                    found.setdefault(video, []).append(name)
        return found


def read_annotation_files(folder: Path) -> AnnotationFiles:
    """Reads the annotation files that are in `folder`.

    Raises:
        ValueError: If a line does not parse, or a split has a row that `Annotations.txt` has not, naming file, line
            number and text.
    """
    categories = folder / CATEGORIES
    classes = read_classes(categories) if categories.is_file() else AVE_CLASSES
    tables = {}
    for name in (ALL, *SPLIT_FILES):
        if (folder / name).is_file():
            events = read_events(folder / name, classes, SEGMENTS)
            tables[name] = list(zip(events, _lines(folder / name), strict=True))
    known = {event for event, _ in tables.get(ALL, [])}
    for name in tables:
        if strange := [line for event, line in tables[name] if known and event not in known]:
            raise ValueError(
                f"{folder / name} has {len(strange)} rows that {ALL} has not, the first {strange[0]!r}: correct one."
            )
    return AnnotationFiles(folder, tables)


def write_annotation_files(rows: AnnotationFiles, out: Path, ready: Collection[str]) -> Iterator[str]:
    """Writes the files beside the clips and yields, in words, what was left out.

    `Annotations.txt` and `categories.txt` are copied. A split keeps the rows of `ready` clips alone: a data set reads
    what its splits name.

    Args:
        rows: The annotation files.
        out: Folder of the prepared clips.
        ready: Video ids of the clips that are there.
    """
    for name in (ALL, CATEGORIES):
        if (rows.folder / name).is_file():
            write_whole(out / name, (rows.folder / name).read_bytes())
    there = {*map(same_name, ready)}
    for name in SPLIT_FILES:
        if name in rows.tables:
            kept = [line for event, line in rows.tables[name] if same_name(event.video) in there]
            write_whole(out / name, "".join(f"{line}\n" for line in kept).encode())
            if lost := len(rows.tables[name]) - len(kept):
                yield f"{name}: {lost} of {len(rows.tables[name])} rows left out, for their clips are missing"


def describe_annotations(rows: AnnotationFiles, videos: Collection[str]) -> Iterator[str]:
    """Yields sentences about what the annotations bring and what they lack."""
    if rows.tables:
        counts = ", ".join(f"{len(table)} rows in {name}" for name, table in rows.tables.items())
        yield f"annotations of {rows.folder}/: {counts}"
    if rows.absent:
        yield (
            f"annotations: {rows.folder}/ has no {', '.join(rows.absent)}. The clips are prepared all the same; to "
            f"train on them, put there rows {ANNOTATION_HEADER}, with this header in {ALL} alone."
        )
    named = {same_name(event.video) for table in rows.tables.values() for event, _ in table}
    if named and (unnamed := sorted(video for video in videos if same_name(video) not in named)):
        yield f"annotations: {len(unnamed)} of {len(videos)} videos have no row: {some(unnamed)}"


def some(names: Sequence[str]) -> str:
    """Returns the first names, in words."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _lines(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text("utf-8-sig", errors="replace").splitlines())
    return [line for line in lines if line and line != ANNOTATION_HEADER]
