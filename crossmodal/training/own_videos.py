"""One's own videos in a training: decoded under a bar before it begins, counted, and told."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from crossmodal.data.folder import Cut, EventWindows, Folder, TrimmedClips, read_labels
from crossmodal.data.folder.rows import SPLITS
from crossmodal.data.folder.spans import Outcome, Undecoded
from crossmodal.data.many_videos.many import Failure
from crossmodal.data.many_videos.video_folder import cores, progress
from crossmodal.training.data_module import ClipData

FILES_A_PROCESS = 8
"""A process of its own takes seconds to begin: for fewer files there are fewer."""


class OwnVideos(ClipData):
    """Clips of a folder of video files with events in time, labelled by a CSV (`crossmodal.data.Folder`).

    - `folder`: of the video files. `labels`: the CSV, of the columns `file,label[,start,end][,split]`.
    - `batch_size`: clips a step, in every process. `workers`: processes that read ahead.
    - `segments`: seconds of a clip; shorter ones show their last frame in silence, as background.
    - `seed`: of the order of the training clips, and of the splits where the CSV gives none.
    - `cache`: folder of decoded clips; FOLDER.cache by default.
    - `broken`: `"skip"` leaves out files that cannot be read, and says so; `"raise"` refuses them.
    - `validation`: the split that weights are selected on; `"test"` only to repeat trainings that did so.
    """

    cut: Cut = EventWindows()
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
        super().__init__(batch_size=batch_size, workers=workers, seed=seed, validation=validation)
        self.folder, self.segments, self.cache, self.broken = folder, segments, cache, broken
        self.labels = read_labels(labels, seed=seed)
        self.made: dict[str | None, Folder] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.labels.classes

    def split(self, name: str | None) -> Folder:
        """The data set of one split, made once; `None` is all of them."""
        if name not in self.made:
            self.made[name] = Folder(
                self.folder,
                self.labels,
                name,
                self.preprocess,
                segments=self.segments,
                cut=self.cut,
                cache=self.cache,
                broken=self.broken,
            )
        return self.made[name]

    def ready(self) -> Sequence[str]:
        """Decodes what is not in the cache, under a bar; returns what there is and what there is not, in sentences."""
        every = self.split(None)
        every.prepare(in_processes)
        self.made = {None: every}  # a split made before does not know what is broken
        return list(self._said())

    def left_out(self) -> dict[str, str]:
        """Files that cannot be had, and why."""
        return self.split(None).broken

    def facts(self) -> dict[str, Any]:
        """Clips of each split, and how many are left out for their files cannot be had."""
        return {"clips": {name: len(self.split(name)) for name in SPLITS}, "left_out": self.split(None).left_out}

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


class OwnClips(OwnVideos):
    """Clips of a folder of video files, a label each: a row of the CSV is a clip. As `OwnVideos` else.

    - `segments`: seconds of a clip; of longer ones the first are taken, shorter ones are repeated.
    """

    cut: Cut = TrimmedClips()
    filled = "of them are repeated"


def in_processes(work: Callable[[Undecoded], Outcome], files: Sequence[Undecoded]) -> Iterable[Outcome]:
    """Decodes files in as many processes as there are cores, under a bar; a decoder that dies fails its file alone."""
    if not files:
        return
    workers = min(cores(), -(-len(files) // FILES_A_PROCESS))
    for file, outcome in progress("decoding", work, files, total=len(files), workers=workers):
        died = isinstance(outcome, Failure)
        yield Outcome(file.file, dict.fromkeys(file.spans, outcome.reason)) if died else outcome
