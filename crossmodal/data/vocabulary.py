"""Labels of a task whose items also carry texts: the labels, and the words that the texts are made of."""

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest


class Vocabulary(tuple[str, ...]):
    """Labels as a tuple, with the words of the texts beside them; the first word is padding.

    A system that reads texts takes it where others take plain labels, so that the words that a run was trained with
    are kept with its labels.

    Attributes:
        words: Words in the order of their ids.
    """

    words: tuple[str, ...]

    def __new__(cls, labels: Iterable[str], words: Iterable[str]) -> "Vocabulary":
        """Builds the vocabulary.

        Args:
            labels: Names of the labels.
            words: Words of the texts; the first one is padding.

        Raises:
            ValueError: If a word or a label stands twice, or there is no word.
        """
        made = super().__new__(cls, labels)
        made.words = tuple(words)
        for name, entries in (("labels", tuple(made)), ("words", made.words)):
            if len(set(entries)) < len(entries):
                twice = next(entry for entry in entries if entries.count(entry) > 1)
                raise ValueError(f"Vocabulary: {name} holds {twice!r} twice: every id needs an entry of its own.")
        if not made.words:
            raise ValueError("Vocabulary: words is empty: its first entry must be the word of padding.")
        return made

    def __getnewargs__(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Returns what a pickle or a copy is made from."""
        return tuple(self), self.words


def vocabulary_words(labels: Sequence[str], caller: str) -> tuple[str, ...]:
    """Returns the words of a vocabulary.

    Args:
        labels: A `Vocabulary`.
        caller: The public function that the error names.

    Raises:
        ValueError: If these are labels alone.
    """
    if not isinstance(labels, Vocabulary):
        raise ValueError(
            f"{caller}: classes are {len(labels)} labels without words: give a crossmodal.data.vocabulary.Vocabulary, "
            "as the sources of the task `avqa` have."
        )
    return labels.words


def parted(known: Sequence[str], given: Sequence[str]) -> str:
    """Returns in words where two vocabularies part, order and words of questions included; empty where they do not.

    Args:
        known: Labels that a system was trained with.
        given: Labels of the data.
    """
    both = zip_longest(_entries(known), _entries(given))
    differing = next(((at, *pair) for at, pair in enumerate(both) if pair[0] != pair[1]), None)
    if differing is None:
        return ""
    at, ours, theirs = differing
    return (
        f"the training knew {len(known)} labels, the data have {len(given)}, and number {at} was {ours!r}, now "
        f"{theirs!r}"
    )


def _entries(labels: Sequence[str]) -> list[str]:
    """Returns labels, and behind them the words of questions where there are any."""
    return [*labels, *getattr(labels, "words", ())]


def as_text(labels: Sequence[str]) -> str:
    """Returns labels, and words where there are any, as JSON; `from_text` reads it."""
    plain = list(labels)
    return json.dumps({"labels": plain, "words": labels.words} if isinstance(labels, Vocabulary) else plain)


def from_text(text: str) -> Sequence[str]:
    """Returns the labels that `as_text` wrote."""
    found = json.loads(text)
    return Vocabulary(found["labels"], found["words"]) if isinstance(found, dict) else found
