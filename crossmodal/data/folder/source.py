"""Data source of a folder of videos: decodes them with a progress bar before training and reports counts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from crossmodal.data.folder import EventWindows, Folder, TrimmedClips, Windowing, read_labels
from crossmodal.data.folder.decode import DecodeResult, Undecoded
from crossmodal.data.many_videos.video_folder import cores, progress
from crossmodal.data.published_tables import SPLITS
from crossmodal.data.source import Source
from crossmodal.worker_pool import Failure

FILES_A_PROCESS = 8
"""A process of its own takes seconds to begin: for fewer files there are fewer."""


class FolderSource(Source):
    """Clips of a folder of video files with events in time, labelled by a CSV (`crossmodal.data.Folder`)."""

    windowing: Windowing = EventWindows()
    filled = "of still picture and silence were added, labelled background"

    def __init__(
        self,
        folder: Path,
        labels: Path,
        *,
        batch_size: int = 8,
        workers: int = 0,
        segments: int = 10,
        seed: int = 0,
        cache: Path | None = None,
        broken: Literal["skip", "raise"] = "skip",
        validation: str = "val",
    ):
        """Reads the labels.

        Args:
            folder: Folder of the video files.
            labels: CSV with the columns `file,label[,start,end][,split]`.
            batch_size: Clips of a step, in every process.
            workers: Processes that read ahead.
            segments: Seconds of a clip; a shorter one shows its last frame in silence, as background (`classify`
                takes the first seconds of a longer one and repeats a shorter one).
            seed: Seed of the order of the training clips, and of the splits where the CSV gives none.
            cache: Folder of decoded clips; FOLDER.cache by default.
            broken: `"skip"` leaves out files that cannot be read, and says so; `"raise"` refuses them.
            validation: Split on which weights are selected, `"val"` or `"test"`.

        Raises:
            ValueError: If the CSV cannot be understood.
        """
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.folder, self.segments, self.cache, self.broken = folder, segments, cache, broken
        self.labels_file, self.labels = labels, read_labels(labels, seed=seed)
        self.made: dict[str | None, Folder] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Label vocabulary of the CSV."""
        return self.labels.classes

    def split(self, name: str | None) -> Folder:
        """Returns the data set of one split, made once; `None` is all of them."""
        if name not in self.made:
            self.made[name] = Folder(
                self.folder,
                self.labels,
                name,
                self.preprocess,
                segments=self.segments,
                windowing=self.windowing,
                cache=self.cache,
                broken=self.broken,
            )
        return self.made[name]

    def ready(self) -> Sequence[str]:
        """Decodes what is not in the cache with a progress bar; returns counts in sentences."""
        every = self.split(None)
        every.prepare(in_processes)
        self.made = {None: every}  # a split made before does not know what is broken
        return list(self._said())

    def left_out(self) -> dict[str, str]:
        """Returns file → reason for the files that cannot be read."""
        return self.split(None).broken

    def facts(self) -> dict[str, Any]:
        """Returns the number of clips of each split, and of those left out because their file cannot be read."""
        return {"clips": {name: len(self.split(name)) for name in SPLITS}, "left_out": self.split(None).left_out}

    def describe(self) -> str:
        """Returns which folder it is, in words."""
        return f"the videos in {self.folder}/, labelled by {self.labels_file}"

    def _said(self) -> Iterator[str]:
        every, counts = self.split(None), self.facts()["clips"]
        splits = ", ".join(f"{count} {name}" for name, count in counts.items())
        yield f"{len(self.classes)} classes, {len(every)} clips of {self.segments} s: {splits}"
        yield from self.labels.notes
        if every.broken:
            yield f"left out: {every.left_out} clips, for {len(every.broken)} files cannot be had"
            lost = [name for name, clips in self.split("train").counts.items() if not clips]
            if lost:
                yield f"train has no clip of {', '.join(lost)}: what a model says of them is a guess"
        clips, seconds = every.filled
        if clips:
            yield f"{clips} clips are shorter: {seconds} s {self.filled}"


class ClipFolderSource(FolderSource):
    """Clips of a folder of video files, one label each: a row of the CSV is a clip."""

    windowing: Windowing = TrimmedClips()
    filled = "of them are repeated"


def in_processes(work: Callable[[Undecoded], DecodeResult], files: Sequence[Undecoded]) -> Iterable[DecodeResult]:
    """Decodes files in as many processes as there are cores, with a bar; a decoder that dies fails its file alone."""
    if not files:
        return
    workers = min(cores(), -(-len(files) // FILES_A_PROCESS))
    for file, outcome in progress("decoding", work, files, total=len(files), workers=workers):
        if isinstance(outcome, Failure):
            outcome = DecodeResult(file.file, dict.fromkeys(file.spans, outcome.reason), passing=True)
        yield outcome
