"""Question files of MUSIC-AVQA: lists of JSON objects, with their published spelling of the key `anser`."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..metrics.answers import question_kind
from .published_tables import SPLITS, numbered, read_text, unusable, unwritable
from .questions import build_vocabulary, question_words
from .same_text import plain_text
from .vocabulary import Vocabulary

VERSIONS = ("json", "json_update")
SUBSETS = ("", "real", "fake")
KEYS = ("video_id", "question_id", "type", "question_content", "templ_values", "anser")
NOT_DELETED = ("", "0", "0.0", "false", "no", "none", "null", "nan")
"""Texts in the place of a mark of deletion that say there is none."""


class MusicQuestion(NamedTuple):
    """A question about a video.

    Attributes:
        video: Id of the video.
        number: Id of the question.
        kind: Index in `crossmodal.metrics.answers.QUESTION_KINDS`.
        words: Words of the question, with the template's values in place.
        answer: The right answer.
        deleted: Whether the file marks the question as deleted, which the published code does not look at.
    """

    video: str
    number: int
    kind: int
    words: tuple[str, ...]
    answer: str
    deleted: bool = False


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
    text = read_text(file, "MusicAVQA")
    try:
        entries = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
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
    return numbered(f"{question.video}-{question.number}" for question in questions)


def _question(entry: Any, where: str) -> MusicQuestion:
    """Checks and reads one entry; `where` names it in errors."""
    if not isinstance(entry, dict) or (missing := [key for key in KEYS if key not in entry]):
        lacking = f"lacks {missing[0]!r}" if isinstance(entry, dict) else "is no object"
        raise ValueError(f"MusicAVQA: {where} {lacking}: an entry has the keys {', '.join(KEYS)}.")
    try:
        words = question_words(_text(entry, "question_content"), _values(entry["templ_values"]))
        # a list where the published files write one as text
        kind = question_kind(entry["type"] if isinstance(entry["type"], str) else json.dumps(entry["type"]))
        answer, video = _text(entry, "anser"), _text(entry, "video_id")
        number, deleted = _whole_number(entry["question_id"]), _is_deleted(entry.get("question_deleted"))
        if why := unusable(video):
            raise ValueError(f"video_id {video!r}: {why}.")
        return MusicQuestion(video, number, kind, words, answer, deleted)
    except (TypeError, ValueError) as error:
        raise ValueError(f"MusicAVQA: {where} (question {entry['question_id']}) cannot be read: {error}") from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object of a JSON file, whose keys must differ: of two values the last one would count, unsaid."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an entry has the key {twice!r} twice")
    return found


def _text(entry: dict[str, Any], key: str) -> str:
    """Returns a text of an entry as `plain_text` has it; a number counts as one, and 2.0 as 2."""
    value = entry[key]
    if isinstance(value, float) and math.isfinite(value):  # Python's JSON has NaN, which pandas writes for no value
        value = int(value) if value.is_integer() else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not (plain := plain_text(value)):
        raise ValueError(f"{key} is {json.dumps(value)}, expected a text.")
    if why := unwritable(plain):
        raise ValueError(f"{key} {value!r} {why}.")
    return plain


def _values(written: Any) -> list[str]:
    """Returns the values of a template: a list of texts, or JSON of one, as the published files write it."""
    values = json.loads(written) if isinstance(written, str) else written
    if not isinstance(values, list) or not all(isinstance(value, str) and plain_text(value) for value in values):
        raise ValueError(f"templ_values is {json.dumps(written)}, expected a list of texts.")
    return [plain_text(value) for value in values]


def _whole_number(value: Any) -> int:
    """Returns an id; `int` alone would read `1_0` as ten."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"\s*[+-]?\d+\s*", str(value)):
        raise ValueError(f"question_id is {json.dumps(value)}, expected a whole number.")
    return int(value)


def _is_deleted(value: Any) -> bool:
    """Returns whether a mark of deletion says so; text does by what it says, and NaN is a mark that is missing."""
    if isinstance(value, str):
        return plain_text(value).casefold() not in NOT_DELETED
    return bool(value) and value == value
