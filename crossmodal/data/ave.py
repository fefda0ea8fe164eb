"""AVE: 4143 ten-second clips of audio-visual events in 28 classes, in the layout that DG-SCT's authors released."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from torch.utils.data import Dataset

from .annotations import AVE_CLASSES, event_labels, read_classes, read_events
from .clip import LabelledClip, Preprocess
from .frames import frame_files, read_frames
from .published_tables import SPLITS
from .same_text import NameFinder
from .stamps import file_stamp, library_versions
from .wave import map_wave, read_wave, resample_segments

SEGMENTS = 10


class AVE(Dataset[LabelledClip]):
    """One split of AVE (Tian et al., *Audio-Visual Event Localization in Unconstrained Videos*, ECCV 2018).

    ```text
    root/Annotations.txt                        all events: Category&VideoID&Quality&StartTime&EndTime, with this header
    root/trainSet.txt, valSet.txt, testSet.txt  the splits: the same rows, no header
    root/categories.txt                         optional: the classes, one a line; AVE's 28 where it is absent
    root/frames/<video id>/00000001.jpg, …      the video's frames, numbered from 1 without a gap
    root/wave/<video id>.npy                    10 · wave_rate samples of mono sound, floats in [-1, 1]
    ```

    An item is the clip of one row: ten frames, spread evenly over the video's, ten seconds of sound, and a class a
    second, built from the row (the released `.h5` label files are not read). A video can have several rows: of the
    4097 videos of the release, 8 are in the training and in the test split, as published.

    An item whose file is missing, cut or of a wrong kind raises `FileNotFoundError` or `ValueError` that names it.
    """

    def __init__(self, root: str | Path, split: str, preprocess: Preprocess | None = None, *, wave_rate: int = 32_000):
        """Reads the rows; frames and waves are read with the items.

        Args:
            root: Folder of the data set, as above.
            split: `"train"`, `"val"` or `"test"`.
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            wave_rate: Samples per second of the stored waves; they are resampled to `preprocess.rate`.

        Raises:
            ValueError: For another split, or a row that does not parse.
            FileNotFoundError: If a part of the layout is missing.
        """
        if split not in SPLITS:
            raise ValueError(f"AVE: split={split!r} must be one of {', '.join(SPLITS)}.")
        self.root, self.split, self.wave_rate = Path(root), split, wave_rate
        self.preprocess = preprocess or Preprocess()
        self._need_folders()
        # an id of a table may be composed in another way than the name on the disk
        self._frames, self._waves = NameFinder(self.root / "frames"), NameFinder(self.root / "wave")
        categories = self.root / "categories.txt"
        self.classes = read_classes(categories) if categories.is_file() else AVE_CLASSES
        self.annotations = read_events(self.root / "Annotations.txt", self.classes, SEGMENTS)
        self.events = read_events(self.root / f"{split}Set.txt", self.classes, SEGMENTS)

    @property
    def videos(self) -> list[str]:
        """Returns the video id of every item."""
        return [event.video for event in self.events]

    @property
    def names(self) -> list[str]:
        """Returns a unique name for every item: the video id, with `#1`, `#2`, … where the video has several rows."""
        rows, seen, names = Counter(self.videos), Counter[str](), []
        for video in self.videos:
            seen[video] += 1
            names.append(f"{video}#{seen[video]}" if rows[video] > 1 else video)
        return names

    @property
    def background(self) -> int:
        """Returns the label of a segment without an event: the index behind the last class."""
        return len(self.classes)

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> LabelledClip:
        event = self.events[index]
        images = read_frames(self._frame_files(event.video))
        stored = read_wave(self._wave_file(event.video), SEGMENTS, self.wave_rate)
        wave = resample_segments(stored, self.wave_rate, self.preprocess.rate)
        return LabelledClip(*self.preprocess(images, wave), event_labels(event, self.classes, SEGMENTS))

    def stamp(self, index: int) -> str:
        """Returns a text that changes with the files, the row, the classes and what reads them; nothing is decoded."""
        event = self.events[index]
        files = file_stamp(*self._frame_files(event.video), self._wave_file(event.video))
        labels = event_labels(event, self.classes, SEGMENTS).tolist()
        return f"{files} {self.wave_rate} {labels} {self.preprocess} {library_versions('pillow', 'soxr')}"

    def check(self) -> dict[str, list[str]]:
        """Returns video id → what this split lacks of it, in the words of the errors that its items would raise.

        Looks at names, headers and sizes only: a picture that is cut is found when it is read.
        """
        known = set(self.annotations)
        found: dict[str, list[str]] = {}
        for event in self.events:
            problems = [*_problem(self._frame_files, event.video), *_problem(self._map_wave, event.video)]
            if event not in known:
                problems.append(f"AVE: {self.split}Set.txt has the row {event}, which Annotations.txt has not.")
            for problem in problems:
                if problem not in found.setdefault(event.video, []):
                    found[event.video].append(problem)
        return found

    def _need_folders(self) -> None:
        for folder in (self.root, self.root / "frames", self.root / "wave"):
            if not folder.is_dir():
                raise FileNotFoundError(
                    f"AVE: the folder {folder} is missing: root={str(self.root)!r} must hold Annotations.txt, "
                    f"{self.split}Set.txt, frames/<video id>/ and wave/<video id>.npy."
                )

    def _frame_files(self, video: str) -> list[Path]:
        return frame_files(self._frames.find(video), SEGMENTS)

    def _wave_file(self, video: str) -> Path:
        return self._waves.find(f"{video}.npy")

    def _map_wave(self, video: str) -> object:
        return map_wave(self._wave_file(video), SEGMENTS, self.wave_rate)


def _problem(probe: Callable[[str], object], video: str) -> list[str]:
    try:
        probe(video)
    except (OSError, ValueError) as error:
        return [str(error)]
    return []
