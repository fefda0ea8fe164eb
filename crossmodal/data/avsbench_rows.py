"""Tables of AVSBench-object, and the paths of a clip in its published layout."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from .published_tables import SPLITS, csv_lines, unusable
from .same_text import look_alike

SECONDS = 5
"""Frames of a clip, one a second."""

FOLDERS = {
    "s4": ("Single-source", "s4_data", "s4_meta_data.csv"),
    "ms3": ("Multi-sources", "ms3_data", "ms3_meta_data.csv"),
}
"""Setting → folder, folder of the media in it, table."""
COLUMNS = {"s4": (0, 2, 3), "ms3": (0, None, 1)}
"""Setting → columns of the name, of the category and of the split. The published loaders read by place, too."""
ORDER = {"s4": "name, start, category, split", "ms3": "name, split"}
NAMED_SO = {
    "name": {"name", "names", "video", "vid", "id", "uid", "ytid", "youtubeid", "file", "filename", "clip", "key"}
    | {f"{what}{word}" for what in ("video", "clip") for word in ("name", "id")},
    "category": {"category", "categories", "class", "classes", "classname", "label", "labels"},
    "split": {"split", "splits", "datasplit", "set", "subset", "dataset", "partition", "fold", "phase", "mode"},
}
"""Column → how headers name it, in small letters and without what separates words."""


class SegmentedRow(NamedTuple):
    """One clip of a table.

    Attributes:
        name: Name of the video.
        category: What sounds; empty in `ms3`.
        split: `"train"`, `"val"` or `"test"`.
    """

    name: str
    category: str
    split: str


class SegmentedFiles(NamedTuple):
    """Files of a clip.

    Attributes:
        frames: One a second.
        masks: Second → file, of the seconds whose masks are published.
        wave: Sound as plain numbers.
        wav: Sound as a WAV file, read where the former is missing.
        pickled: The published pickle that holds the former; never read.
    """

    frames: list[Path]
    masks: dict[int, Path]
    wave: Path
    wav: Path
    pickled: Path


def read_segmented_rows(root: Path, setting: str) -> list[SegmentedRow]:
    """Reads the table of a setting.

    Raises:
        FileNotFoundError: If there is no table.
        ValueError: If it holds no row, its header names the columns in another order, a quote is not closed, or a row
            has too few columns, another split than the three, a name twice, or a name or category that is no name of a
            folder.
    """
    folder, _, table = FOLDERS[setting]
    file = root / folder / table
    if not file.is_file():
        raise FileNotFoundError(
            f"AVSBench: the table {file} is missing: root={root} must hold the folder {folder}/ of the data set."
        )
    name_at, category_at, split_at = COLUMNS[setting]
    lines = []
    for end, line in csv_lines(file, "AVSBench"):
        if _holds_a_row(line, split_at):  # between two stray quotes
            raise ValueError(
                f"AVSBench: {file}, line {end}: a cell that ends there holds other rows: remove the quotes around it."
            )
        if any(line):
            lines.append([cell.strip() for cell in line])
    rows: dict[str, SegmentedRow] = {}
    for number, line in enumerate(lines, 1):
        if len(line) <= split_at:
            raise ValueError(
                f"AVSBench: {file}, row {number} has {len(line)} columns, expected {split_at + 1} or more, separated "
                "by commas."
            )
        row = SegmentedRow(line[name_at], "" if category_at is None else line[category_at], line[split_at])
        if number == 1 and row.split not in SPLITS and _is_header(line, setting):
            if why := _disorder(line, setting):
                raise ValueError(f"AVSBench: {file}, row 1 names the columns {', '.join(line)}: {why}.")
            continue
        if why := _wrong(row, rows):
            raise ValueError(f"AVSBench: {file}, row {number} ({row.name!r}): {why}: mend the table.")
        rows[row.name] = row
    if not rows:
        raise ValueError(f"AVSBench: {file} holds no row: copy the released file there.")
    return list(rows.values())


def _places(setting: str) -> dict[str, int]:
    """Returns column → its place, of those that are read."""
    places = zip(("name", "category", "split"), COLUMNS[setting], strict=True)
    return {column: place for column, place in places if place is not None}


def _says(cell: str, column: str) -> bool:
    """Returns whether a cell of a header is a name of a column."""
    return "".join(each for each in look_alike(cell) if each.isalnum()) in NAMED_SO[column]


def _is_header(line: Sequence[str], setting: str) -> bool:
    """Returns whether a first line names columns; pandas numbers those that have no name."""
    places = _places(setting)
    named = any(_says(line[places[column]], column) for column in ("name", "split"))
    return named or line == [str(place) for place in range(len(line))]


def _disorder(header: Sequence[str], setting: str) -> str:
    """Returns which column of a header stands where another is read; empty where none does."""
    for column, place in _places(setting).items():
        others = [at for at, cell in enumerate(header) if _says(cell, column)]
        if others and place not in others:
            return (
                f"{header[others[0]]!r} is column {others[0] + 1}, but the {column} is read from column {place + 1}: "
                f"put them in the order {ORDER[setting]}"
            )
    return ""


def _holds_a_row(line: Sequence[str], split_at: int) -> bool:
    """Returns whether a line of a cell of several is a row of the table by its split."""
    parts = [part.split(",") for cell in line if "\n" in cell or "\r" in cell for part in cell.splitlines()]
    return any(len(part) > split_at and part[split_at].strip() in SPLITS for part in parts)


def _wrong(row: SegmentedRow, before: Collection[str]) -> str:
    """Returns what is wrong with a row; empty where nothing is."""
    if row.name in before:
        return "it stands twice"
    if row.split not in SPLITS:
        return f"split {row.split!r} is none of {', '.join(SPLITS)}"
    if why := unusable(row.name):
        return f"{why} to be a name"
    why = unusable(row.category) if row.category else ""
    return f"category {row.category!r}: {why}" if why else ""


def segmented_files(root: Path, setting: str, row: SegmentedRow) -> SegmentedFiles:
    """Returns the files of a clip; of training clips of `s4` only the first mask is published."""
    folder, media, _ = FOLDERS[setting]
    data, within = root / folder / media, Path(row.split) / row.category
    suffix = "" if setting == "s4" else ".mp4"
    pictures = data / "visual_frames" / (within if setting == "s4" else "") / row.name
    masks = data / "gt_masks" / within / row.name
    known = 1 if setting == "s4" and row.split == "train" else SECONDS
    return SegmentedFiles(
        [pictures / f"{row.name}{suffix}_{second}.png" for second in range(1, SECONDS + 1)],
        {second: masks / f"{row.name}_{second + 1}.png" for second in range(known)},
        data / "wave" / within / f"{row.name}.npy",
        data / "audio_wav" / within / f"{row.name}.wav",
        data / "wave" / within / "AVS.npy",
    )
