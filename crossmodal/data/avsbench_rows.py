"""Tables of AVSBench-object, and the paths of a clip in its published layout."""

import csv
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "val", "test")
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
        ValueError: If a row has too few columns, another split than the three, or a name twice.
    """
    folder, _, table = FOLDERS[setting]
    file = root / folder / table
    if not file.is_file():
        raise FileNotFoundError(
            f"AVSBench: the table {file} is missing: root={root} must hold the folder {folder}/ of the data set."
        )
    name_at, category_at, split_at = COLUMNS[setting]
    with file.open(newline="", encoding="utf-8-sig") as opened:
        lines = [[cell.strip() for cell in line] for line in csv.reader(opened) if any(line)]
    rows: dict[str, SegmentedRow] = {}
    for number, line in enumerate(lines, 1):
        if len(line) <= split_at:
            raise ValueError(
                f"AVSBench: {file}, row {number} has {len(line)} columns, expected {split_at + 1} or more."
            )
        row = SegmentedRow(line[name_at], "" if category_at is None else line[category_at], line[split_at])
        if number == 1 and row.split not in SPLITS:  # the header
            continue
        if row.split not in SPLITS or not row.name or row.name in rows:
            why = f"split {row.split!r} is none of {', '.join(SPLITS)}" if row.name not in rows else "it stands twice"
            raise ValueError(f"AVSBench: {file}, row {number} ({row.name!r}): {why}: mend the table.")
        rows[row.name] = row
    return list(rows.values())


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
