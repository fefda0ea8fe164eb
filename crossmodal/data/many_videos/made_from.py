"""Record of the film that each prepared clip was made from: a clip of another film is made anew."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from crossmodal.data.decoding import decoder_versions
from crossmodal.data.stamps import file_stamp, short_digest
from crossmodal.io import write_whole

MADE_FROM = "made_from.json"
"""File of the records, video id → stamp, beside the clips."""


def film_stamps(videos: Sequence[Path]) -> dict[str, str]:
    """Returns video id → digest of the film's size, time of change, and the versions of what decodes it."""
    versions = decoder_versions()
    return {video.stem: short_digest(f"{file_stamp(video)} {versions}") for video in videos}


class MadeFrom:
    """Records in a folder of prepared clips, and the films as they are now.

    A clip is recorded before it is made: a finished clip always has its record, wherever a run was killed.
    """

    def __init__(self, out: Path, stamps: Mapping[str, str]):
        """Reads the records.

        Args:
            out: Folder of the clips.
            stamps: Of `film_stamps`.
        """
        self.file, self.stamps = out / MADE_FROM, stamps
        self.recorded: dict[str, str] = json.loads(self.file.read_text("utf-8")) if self.file.is_file() else {}

    def changed(self, finished: Collection[str]) -> list[str]:
        """Returns which finished clips are of another film, or of another decoder; those without a record are not."""
        return [video for video in finished if self.recorded.get(video, self.stamps[video]) != self.stamps[video]]

    def unknown(self, finished: Collection[str]) -> list[str]:
        """Returns which finished clips have no record: an earlier version of this library made them."""
        return [video for video in finished if video not in self.recorded]

    def record(self, videos: Collection[str]) -> None:
        """Notes that clips are being made from their films as they are now."""
        self.recorded |= {video: self.stamps[video] for video in videos}
        write_whole(self.file, json.dumps(self.recorded, indent=0, sort_keys=True) + "\n")
