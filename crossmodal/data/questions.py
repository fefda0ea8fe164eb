"""Questions as MUSIC-AVQA writes them: templates with values, split into words, and encoded as ids.

The rules are those of the published data loader, so that its vocabulary and its ids come out: words are split at
blanks, the question mark at the end is dropped, and every word with a `<` takes the next template value. Of questions
unlike the published ones, words come out whole here: that loader drops the last character whatever it is, and takes a
second blank for an empty word.
"""

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .same_text import plain_text
from .vocabulary import Vocabulary, vocabulary_words

LENGTH = 14
"""Words of the longest published question."""
PAD = "<pad>"
MARKS = "?？."
"""What a question that a user types may end in."""

logger = logging.getLogger("crossmodal")


def question_words(template: str, values: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns the words of a question.

    Args:
        template: The text, such as `How many sounding <Object> in the video？`.
        values: What the placeholders stand for, in order.

    Raises:
        ValueError: If there is no word, there are more placeholders than values, values that no placeholder takes, or
            too many words.
    """
    words = plain_text(template).rstrip(MARKS + " ").split()
    placeholders = sum("<" in word for word in words)
    if placeholders != len(values):
        raise ValueError(
            f"question_words: {template!r} has {placeholders} placeholders, but templ_values holds {len(values)} "
            f"values {list(values)}: give one for each."
        )
    if not words:
        raise ValueError(f"question_words: {template!r} holds no word.")
    left = iter(values)
    found = tuple(next(left) if "<" in word else word for word in words)
    if len(found) > LENGTH:
        raise ValueError(f"question_words: {' '.join(found)!r} has {len(found)} words, but at most {LENGTH} are read.")
    return found


def build_vocabulary(questions: Iterable[tuple[Sequence[str], str]]) -> Vocabulary:
    """Builds the vocabulary of a training set: answers and words in the order in which they first occur.

    Args:
        questions: Words and answer of every question.
    """
    words: dict[str, None] = {PAD: None}
    answers: dict[str, None] = {}
    for asked, answer in questions:
        words |= dict.fromkeys(asked)
        answers[answer] = None
    return Vocabulary(answers, words)


def encode_words(words: Sequence[str], vocabulary: Mapping[str, int], where: str) -> Tensor:
    """Returns the ids of a question, padded by zeros to `LENGTH`.

    Args:
        words: Words of the question.
        vocabulary: Word → id.
        where: Names the question in the error.

    Raises:
        ValueError: If a word is unknown.
    """
    for word in words:
        if word not in vocabulary:
            near = difflib.get_close_matches(word, vocabulary, n=1)
            hint = f", perhaps {near[0]!r}?" if near else ""
            raise ValueError(
                f"{where}: {word!r} is none of the {len(vocabulary)} words of the training questions{hint}: correct "
                "the question, or train on questions with this word."
            )
    ids = [vocabulary[word] for word in words]
    return torch.tensor(ids + [0] * (LENGTH - len(ids)))


def typed_question(text: str, labels: Sequence[str]) -> Tensor:
    """Returns the ids of a question that a user types; an unknown word becomes the nearest known one, and is told.

    Args:
        text: The question, with or without a question mark.
        labels: Vocabulary of the system that is asked.

    Raises:
        ValueError: If there is no word in it, none of them is known, or there are too many.
    """
    # vocabularies with equal labels may differ in their words, by which the ids are found
    return _typed_ids(text, vocabulary_words(labels, "predict")).clone()


@lru_cache(maxsize=256)  # the windows of a film ask the same question: what is unknown in it is told once
def _typed_ids(text: str, known: tuple[str, ...]) -> Tensor:
    """Returns the ids of a typed question among known words."""
    words = plain_text(text).rstrip(MARKS).split()
    if not 0 < len(words) <= LENGTH:
        raise ValueError(
            f"predict: the question {text!r} has {len(words)} words: it must have 1 to {LENGTH}, in one pair of quotes."
        )
    read = [_nearest_known(word, known) for word in words]
    if {*read} == {known[0]}:
        raise ValueError(
            f"predict: of the question {text!r} no word is known: ask in words of the questions that this run was "
            f"trained on, such as {', '.join(known[1:6])}."
        )
    return encode_words(read, _ids(known), "predict")


def written_question(ids: Tensor, labels: Sequence[str]) -> str:
    """Returns the question that ids stand for, as the system reads it."""
    known = vocabulary_words(labels, "written_question")
    return " ".join(known[at] for at in ids.tolist() if at) + "?"


def _nearest_known(word: str, known: tuple[str, ...]) -> str:
    """Returns the known word that is meant by a typed one: in another case, or the nearest; padding where none is."""
    real = known[1:]
    if word in real:
        return word
    of_case = next((candidate for candidate in real if candidate.lower() == word.lower()), None)
    if of_case is not None:
        return of_case
    found = difflib.get_close_matches(word, real, n=1, cutoff=0.7)
    read = repr(found[0]) if found else "nothing"
    logger.warning("%r is no word of the questions that this run was trained on: it is read as %s.", word, read)
    return found[0] if found else known[0]


def _ids(known: tuple[str, ...]) -> dict[str, int]:
    """Returns word → id."""
    return {word: at for at, word in enumerate(known)}
