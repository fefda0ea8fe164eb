"""Question files of MUSIC-AVQA: lists of JSON objects, with their published spelling of the key `anser`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..metrics.answers import question_kind
from .questions import build_vocabulary, question_words
from .vocabulary import Vocabulary

SPLITS = ("train", "val", "test")
VERSIONS = ("json", "json_update")
SUBSETS = ("", "real", "fake")
KEYS = ("video_id", "question_id", "type", "question_content", "templ_values", "anser")


class MusicQuestion(NamedTuple):
    """A question about a video.

    Attributes:
        video: Id of the video.
        number: Id of the question.
        kind: Index in `crossmodal.metrics.answers.QUESTION_KINDS`.
        words: Words of the question, with the template's values in place.
        answer: The right answer.
    """

    video: str
    number: int
    kind: int
    words: tuple[str, ...]
    answer: str


def question_file(root: Path, split: str, version: str = "json", subset: str = "") -> Path:
    """Returns the file of a split: `json/avqa-train.json`, `json_update/avqa-test_real.json`.

    Raises:
        ValueError: If there is no such split, version or subset.
    """
    for name, value, known in (
        ("split", split, SPLITS),
        ("version", version, VERSIONS),
        ("subset", subset, SUBSETS),
    ):
        if value not in known:
            raise ValueError(f"MusicAVQA: {name}={value!r} must be one of {', '.join(map(repr, known))}.")
    return root / version / f"avqa-{split}{f'_{subset}' if subset else ''}.json"


def read_questions(file: Path) -> list[MusicQuestion]:
    """Reads a question file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no list of objects, or an entry lacks a key, has an unknown type or lacks a template value,
            naming the file and the entry.
    """
    if not file.is_file():
        raise FileNotFoundError(f"MusicAVQA: {file} is missing: copy the published file there.")
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"MusicAVQA: {file} is no JSON ({error}): copy the published file again.") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"MusicAVQA: {file} holds no list of questions: copy the published file again.")
    return [_question(entry, f"{file}, entry {at}") for at, entry in enumerate(entries)]


def read_vocabulary(root: Path, version: str = "json") -> Vocabulary:
    """Rebuilds answers and words from the training questions, in the order in which they first occur.

    The published code reads `json/avqa-train.json` whatever questions it trains on; where that file is not there, those
    of `version` are read.

    Args:
        root: Folder of the data set.
        version: Folder of the questions that are trained on.
    """
    first = question_file(root, "train")
    file = first if first.is_file() else question_file(root, "train", version)
    return build_vocabulary((question.words, question.answer) for question in read_questions(file))


def unique_names(questions: Sequence[MusicQuestion]) -> list[str]:
    """Returns a unique name for every question: its id behind its video's, numbered where both stand twice."""
    seen: dict[str, int] = {}
    names = []
    for question in questions:
        name = f"{question.video}-{question.number}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _question(entry: Any, where: str) -> MusicQuestion:
    """Checks and reads one entry; `where` names it in errors."""
    if not isinstance(entry, dict) or (missing := [key for key in KEYS if key not in entry]):
        lacking = f"lacks {missing[0]!r}" if isinstance(entry, dict) else "is no object"
        raise ValueError(f"MusicAVQA: {where} {lacking}: an entry has the keys {', '.join(KEYS)}.")
    try:
        values = json.loads(entry["templ_values"])
        kind = question_kind(entry["type"])
        words = question_words(entry["question_content"], values)
        return MusicQuestion(str(entry["video_id"]), int(entry["question_id"]), kind, words, str(entry["anser"]))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"MusicAVQA: {where} (question {entry['question_id']}) cannot be read: {error}") from error
