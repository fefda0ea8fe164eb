"""MUSIC-AVQA: 45,867 questions about 9,288 videos of music, in the layout that its authors and DG-SCT's released."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .asked_clip import AskedClip
from .clip import Preprocess
from .frames import frame_files, read_frames
from .music_avqa_rows import question_file, read_questions, read_vocabulary, unique_names
from .questions import encode_words
from .same_text import alike
from .source import epoch_of
from .stamps import file_stamp, library_versions
from .stored_features import as_float32, map_features
from .wave import map_wave, read_wave, resample_segments

SEGMENTS = 10
FEATURES = {"vggish": (60, 128), "res18_14x14": (60, 512, 14, 14)}
"""Folder of published features → shape of a video's file, one entry a second; every sixth is read."""
EVERY = 6

Drawn = tuple[int, int]
"""Place of a video among all of a split, and one of its segments."""
Negatives = Callable[[np.random.Generator, int, int], list[Drawn]]
"""`(generator, place of the own video, number of videos) -> Drawn per segment`."""


def others_of_other_videos(rng: np.random.Generator, own: int, videos: int) -> list[Drawn]:
    """Draws a frame per segment, each of any other video: what the published code intends.

    Args:
        rng: Source of the draws.
        own: Place of the video that is asked about.
        videos: Number of videos.
    """
    if videos == 1:
        return [(0, int(rng.integers(SEGMENTS))) for _ in range(SEGMENTS)]
    return [((own + 1 + int(rng.integers(videos - 1))) % videos, int(rng.integers(SEGMENTS))) for _ in range(SEGMENTS)]


def others_as_released(rng: np.random.Generator, own: int, videos: int) -> list[Drawn]:
    """Draws frames as the published code does, which takes a frame's number for sixty times its video's.

    Ten frames of a video are numbered: the own video is drawn like any other, and of another one, a sixth as far down
    the list, no frame is.

    Args:
        rng: Source of the draws.
        own: Place of the video that is asked about.
        videos: Number of videos.
    """
    found: list[Drawn] = []
    while len(found) < SEGMENTS:
        number = int(rng.integers(SEGMENTS * videos))
        if number // 60 != own or SEGMENTS * videos <= 60:
            found.append((number // SEGMENTS, number % SEGMENTS))
    return found


class MusicAVQA(Dataset[AskedClip]):
    """Questions of one split of MUSIC-AVQA (Li et al., CVPR 2022), with their videos.

    ```text
    root/json/avqa-train.json, avqa-val.json, avqa-test.json    questions; also avqa-train_real.json, … _fake.json
    root/json_update/avqa-train.json, …                         the corrected ones
    root/frames/<video id>/00000001.jpg, …                      the video's frames, numbered from 1 without a gap
    root/audio_wave/<video id>.npy                              10 · wave_rate samples of mono sound
    ```

    Answers and words are rebuilt from the training questions, in the order in which they first occur: 42 and 93 in the
    published ones. A question of val or test whose answer no training question has counts as wrong; one with an unknown
    word is refused. Ten frames are spread evenly over a video's.

    An item whose file is missing, cut or of a wrong kind raises `FileNotFoundError` or `ValueError` that names it.

    Attributes:
        drawn_anew: What of an item is another one in every epoch.
    """

    drawn_anew = "the frames of other videos"

    def __init__(
        self,
        root: str | Path,
        split: str,
        preprocess: Preprocess | None = None,
        *,
        wave_rate: int = 32_000,
        version: str = "json",
        subset: str = "",
        negatives: Negatives = others_of_other_videos,
        seed: int = 0,
    ):
        """Reads the questions; frames and waves are read with the items.

        Args:
            root: Folder of the data set, as above.
            split: `"train"`, `"val"` or `"test"`.
            preprocess: Size, rate and normalisation that the model wants; the full size's by default.
            wave_rate: Samples per second of the stored waves.
            version: `"json"` or `"json_update"`.
            subset: `"real"`, `"fake"`, or empty for both.
            negatives: Draws the frames of other videos: in training anew in every epoch, as published; elsewhere the
                same for a question whenever it is read.
            seed: Seed of these draws.

        Raises:
            ValueError: For another split, version or subset, a negative seed, or an entry that cannot be read; for an
                unknown word, and in the training split for an unknown answer.
            FileNotFoundError: If a file of questions is missing.
        """
        if seed < 0:  # numpy would say so where the first item is read
            raise ValueError(f"MusicAVQA: seed={seed} must be at least 0.")
        self.root, self.split, self.wave_rate, self.seed = Path(root), split, wave_rate, seed
        self.preprocess, self.negatives = preprocess or Preprocess(), negatives
        file = question_file(self.root, split, version, subset)
        self.questions = read_questions(file)
        self.classes = read_vocabulary(self.root, version)
        words = {word: at for at, word in enumerate(self.classes.words)}
        self.ids = [
            encode_words(question.words, words, f"MusicAVQA: {file}, question {question.number}")
            for question in self.questions
        ]
        self._answers = {answer: at for at, answer in enumerate(self.classes)}
        if split == "train" and (unknown := self.unknown_answers()):
            raise ValueError(
                f"MusicAVQA: {file}: the answer of {unknown[0]} is none of the {len(self.classes)} answers of "
                "json/avqa-train.json, from which the vocabulary is built: correct it there or here."
            )

    @cached_property
    def names(self) -> list[str]:
        """Name of every question."""
        return unique_names(self.questions)

    @cached_property
    def videos(self) -> list[str]:
        """Ids of the videos, each once, in the order in which they are first asked about."""
        return list(dict.fromkeys(question.video for question in self.questions))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {video: at for at, video in enumerate(self.videos)}

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> AskedClip:
        question = self.questions[index]
        frames, wave = self.read_media(question.video)
        others = torch.stack([self.read_frame(self.videos[video], segment) for video, segment in self._drawn(index)])
        answer, kind = torch.tensor(self._answer(index)), torch.tensor(question.kind)
        return AskedClip(frames, wave, others, self.ids[index], answer, kind)

    def stamp(self, index: int) -> str:
        """Returns a text that changes with the files, the question and what reads them; nothing is decoded."""
        question, drawn = self.questions[index], self._drawn(index)
        others = [self._frame_files(self.videos[video])[segment] for video, segment in drawn]
        files = file_stamp(*self._frame_files(question.video), self._wave_file(question.video), *others)
        # the index: the same answer has another one in another vocabulary
        asked = f"{self.ids[index].tolist()} {self._answer(index)} {question.kind}"
        return f"{files} {self.wave_rate} {asked} {self.preprocess} {library_versions('pillow', 'soxr')}"

    def _answer(self, index: int) -> int:
        """Returns the index of the answer; the number of answers where training does not know it."""
        return self._answers.get(self.questions[index].answer, len(self.classes))

    def _drawn(self, index: int) -> list[Drawn]:
        """Returns the frames of other videos that are shown with a question in one epoch."""
        rng = np.random.default_rng([self.seed, range(len(self))[index], epoch_of(index)])
        return self.negatives(rng, self._places[self.questions[index].video], len(self.videos))

    def read_media(self, video: str) -> tuple[Tensor, Tensor]:
        """Reads frames and wave of a video."""
        stored = read_wave(self._wave_file(video), SEGMENTS, self.wave_rate)
        wave = resample_segments(stored, self.wave_rate, self.preprocess.rate)
        return self.preprocess(read_frames(self._frame_files(video)), wave)

    def read_frame(self, video: str, segment: int) -> Tensor:
        """Reads the frame of one segment of a video."""
        return self.preprocess.image(read_frames([self._frame_files(video)[segment]])[0])

    def check(self) -> dict[str, list[str]]:
        """Returns question → what this split lacks of its video, in the words of the errors that its item would raise.

        Looks at names, headers and sizes only, once for every video.
        """
        problems = {video: said for video in self.videos if (said := [*self._problems(video)])}
        of_questions = zip(self.names, self.questions, strict=True)
        return {name: problems[question.video] for name, question in of_questions if question.video in problems}

    def unknown_answers(self) -> list[str]:
        """Returns the names of questions whose answer no training question has."""
        of_questions = zip(self.names, self.questions, strict=True)
        return [name for name, question in of_questions if question.answer not in self._answers]

    def remarks(self) -> list[str]:
        """Returns sentences about ids that stand twice, deleted questions, and answers that are alike or unknown."""
        numbers = Counter(question.number for question in self.questions)
        twice = [number for number, count in numbers.items() if count > 1]
        said = []
        if twice:
            said.append(f"{len(twice)} question ids of {self.split} stand twice, the first {twice[0]}: all are kept")
        if deleted := [question for question in self.questions if question.deleted]:
            said.append(
                f"{len(deleted)} questions of {self.split} are marked as deleted, the first {deleted[0].number}: they "
                "are read like others, as by the published code"
            )
        if self.split == "train":
            alike_ones = [", ".join(map(repr, answers)) for answers in alike(self.classes)]
            said += [f"answers that are easily taken for one another count as others: {ones}" for ones in alike_ones]
        if unknown := self.unknown_answers():
            answer = next(question.answer for question in self.questions if question.answer not in self._answers)
            said.append(
                f"{len(unknown)} questions of {self.split} have an answer that training does not know, the first "
                f"{unknown[0]} ({answer!r}): they count as wrong"
            )
        return said

    def looks(self) -> Sequence[Callable[[str], object]]:
        """Returns the functions that look at names, headers and sizes of a video's files."""
        return (self._frame_files, lambda video: map_wave(self._wave_file(video), SEGMENTS, self.wave_rate))

    def _problems(self, video: str) -> list[str]:
        said = []
        for look in self.looks():
            try:
                look(video)
            except (OSError, ValueError) as error:
                said.append(str(error))
        return said

    def _frame_files(self, video: str) -> list[Path]:
        return frame_files(self.root / "frames" / video, SEGMENTS)

    def _wave_file(self, video: str) -> Path:
        return self.root / "audio_wave" / f"{video}.npy"


class MusicAVQAFeatures(MusicAVQA):
    """Questions of one split of MUSIC-AVQA with the published features in the place of frames and wave.

    Reads every sixth of the sixty seconds of `root/feats/res18_14x14/<video id>.npy` (60, 512, 14, 14) and
    `root/feats/vggish/<video id>.npy` (60, 128): `frames` of an item is `(segment, 196, 512)`, `wave` `(segment, 128)`.
    """

    def read_media(self, video: str) -> tuple[Tensor, Tensor]:
        """Reads the features of a video."""
        every = slice(None, None, EVERY)
        return _tokens(self._read("res18_14x14", video, every)), self._read("vggish", video, every)

    def read_frame(self, video: str, segment: int) -> Tensor:
        """Reads the features of one frame of a video."""
        at = EVERY * segment
        return _tokens(self._read("res18_14x14", video, slice(at, at + 1)))[0]

    def looks(self) -> Sequence[Callable[[str], object]]:
        """Returns the functions that look at the feature files of a video."""
        return [partial(self._map, kind) for kind in FEATURES]

    def _read(self, kind: str, video: str, seconds: slice) -> Tensor:
        """Reads the features of some seconds of a video."""
        return as_float32(self._map(kind, video)[seconds], self._feature_file(kind, video), "MusicAVQA")

    def _map(self, kind: str, video: str) -> np.ndarray:
        """Checks a feature file and maps it."""
        file = self._feature_file(kind, video)
        return map_features(file, FEATURES[kind], "MusicAVQA", f"{kind} feature of a video of a minute")

    def _feature_file(self, kind: str, video: str) -> Path:
        return self.root / "feats" / kind / f"{video}.npy"


def _tokens(maps: Tensor) -> Tensor:
    """Returns maps `(segment, channel, row, column)` as tokens `(segment, token, channel)`."""
    return maps.flatten(2).mT.contiguous()
