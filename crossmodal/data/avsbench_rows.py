"""Tables of AVSBench-object, and the paths of a clip in its published layout."""

import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from .published_tables import SPLITS, means_a_split, read_text, unusable

SECONDS = 5
"""Frames of a clip, one a second."""

FOLDERS = {
    "s4": ("Single-source", "s4_data", "s4_meta_data.csv"),
    "ms3": ("Multi-sources", "ms3_data", "ms3_meta_data.csv"),
}
"""Setting → folder, folder of the media in it, table."""
COLUMNS = {"s4": (0, 2, 3), "ms3": (0, None, 1)}
"""Setting → columns of the name, of the category and of the split. The published loaders read by place, too."""


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
        ValueError: If it holds no row, or a row has too few columns, another split than the three, a name twice, or
            a name or category that is no name of a folder.
    """
    folder, _, table = FOLDERS[setting]
    file = root / folder / table
    if not file.is_file():
        raise FileNotFoundError(
            f"AVSBench: the table {file} is missing: root={root} must hold the folder {folder}/ of the data set."
        )
    name_at, category_at, split_at = COLUMNS[setting]
    opened = io.StringIO(read_text(file, "AVSBench"), newline="")
    lines = [[cell.strip() for cell in line] for line in csv.reader(opened) if any(line)]
    rows: dict[str, SegmentedRow] = {}
    for number, line in enumerate(lines, 1):
        if len(line) <= split_at:
            raise ValueError(
                f"AVSBench: {file}, row {number} has {len(line)} columns, expected {split_at + 1} or more, separated "
                "by commas."
            )
        row = SegmentedRow(line[name_at], "" if category_at is None else line[category_at], line[split_at])
        if number == 1 and row.split not in SPLITS and not means_a_split(row.split):  # the header
            continue
        if why := _wrong(row, rows):
            raise ValueError(f"AVSBench: {file}, row {number} ({row.name!r}): {why}: mend the table.")
        rows[row.name] = row
    if not rows:
        raise ValueError(f"AVSBench: {file} holds no row: copy the released file there.")
    return list(rows.values())


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
