"""Tokenizers: from the files of transformers' models, and from a list of words."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from crossmodal.installed_by import installed_by

CLIP_MARKS = "<|startoftext|>", "<|endoftext|>"
ROBERTA_MARKS = "<s>", "</s>"
CLIP_PIECES = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP's tokenizer splits a text into before it merges bytes."""


class FileTokenizer:
    """Tokenizes by the files of a model of transformers: byte pairs, as CLIP and RoBERTa have them.

    A `Tokenizer`. Texts are padded to the longest of a call, never to the whole context: what is padding changes no
    feature, and short texts cost less.
    """

    def __init__(self, folder: str | Path, *, context: int = 77):
        """Reads the files; nothing is fetched.

        Args:
            folder: Holds `tokenizer.json`, or `vocab.json` and `merges.txt`.
            context: Most positions of a text, start and end included.

        Raises:
            FileNotFoundError: If the folder has neither.
            ValueError: If the files are neither CLIP's nor RoBERTa's, or cannot be read.
            ImportError: If the package tokenizers is not installed.
        """
        self.folder, self.context = Path(folder), context
        self._backend = read_backend(self.folder)
        marks = next((m for m in (CLIP_MARKS, ROBERTA_MARKS) if self._backend.token_to_id(m[0]) is not None), None)
        if marks is None:
            raise ValueError(
                f"FileTokenizer: {folder} has neither the marks {CLIP_MARKS} of CLIP nor {ROBERTA_MARKS} of RoBERTa: "
                "give the folder of a CLIP or CLAP."
            )
        self.start, self.end = (int(self._backend.token_to_id(mark)) for mark in marks)
        padding = self._backend.token_to_id("<pad>")
        self.padding = self.end if padding is None else int(padding)  # CLIP pads with the end

    def __call__(self, texts: Sequence[str]) -> Int64[Tensor, "text position"]:
        """Returns the ids of whole texts.

        Raises:
            ValueError: If a text is too long.
        """
        return padded(self, [[self.start, *self.encode(text), self.end] for text in texts], texts)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text without start, end and padding.

        Raises:
            ValueError: If the text is written with one of these marks, at which a model would take it to end.
        """
        ids = [int(token) for token in self._backend.encode(text, add_special_tokens=False).ids]
        if marks := {self.start, self.end, self.padding} & {*ids}:
            named = ", ".join(repr(self._backend.id_to_token(mark)) for mark in sorted(marks))
            raise ValueError(f"FileTokenizer: {text!r} holds {named}, a mark of the tokenizer: write it otherwise.")
        return ids


class WordTokenizer:
    """Tokenizes into whole words of a fixed list; punctuation marks are words.

    A `Tokenizer`. Id 0 is padding, words are numbered from 1, then come start and end: the largest id, where `ClipText`
    reads its feature.
    """

    def __init__(self, words: Sequence[str], *, context: int = 16):
        """Numbers the words.

        Args:
            words: All words, in lower case.
            context: Most positions of a text, start and end included.

        Raises:
            ValueError: If a word occurs twice, or would be split itself, or the context holds no start and end.
        """
        if len(set(words)) < len(words) or any(split_words(word) != [word] for word in words):
            raise ValueError(f"WordTokenizer: words={list(words)[:4]}… must be different, single words in lower case.")
        if context < 2:
            raise ValueError(f"WordTokenizer: context={context} must be at least 2, for start and end.")
        self.ids = {word: number for number, word in enumerate(words, start=1)}
        self.context, self.padding = context, 0
        self.start, self.end = len(words) + 1, len(words) + 2

    @property
    def vocabulary(self) -> int:
        """Number of ids, padding, start and end included."""
        return self.end + 1

    @classmethod
    def from_file(cls, path: str | Path) -> "WordTokenizer":
        """Reads a JSON file `{"words": […], "context": 16}`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no such JSON, or as for `WordTokenizer`.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"WordTokenizer: there is no file {path}: check the path.")
        try:
            content = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
        except ValueError as error:  # what is no UTF-8 is one, too
            raise ValueError(f"WordTokenizer: {path} is no JSON in UTF-8 ({error}): save it again.") from error
        found: dict[str, Any] = content if isinstance(content, dict) else {}
        words, context = found.get("words"), found.get("context", "")
        strange = not isinstance(context, int) or isinstance(context, bool)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or strange:
            raise ValueError(
                f'WordTokenizer: {path} must be {{"words": ["a", "red", …], "context": 16}}, with a list of words and '
                "a whole number."
            )
        return cls(words, context=int(context))

    def __call__(self, texts: Sequence[str]) -> Int64[Tensor, "text position"]:
        """Returns the ids of whole texts.

        Raises:
            ValueError: If a text is too long or holds an unknown word.
        """
        return padded(self, [[self.start, *self.encode(text), self.end] for text in texts], texts)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text without start, end and padding.

        Raises:
            ValueError: If it holds an unknown word.
        """
        words = split_words(text)
        unknown = [word for word in words if word not in self.ids]
        if unknown:
            raise ValueError(
                f"WordTokenizer: {unknown[0]!r} in {text!r} is none of its {len(self.ids)} words: "
                f"{', '.join(self.ids)}."
            )
        return [self.ids[word] for word in words]


def split_words(text: str) -> list[str]:
    """Splits a text in lower case into words, numbers and single marks."""
    return re.findall(r"[a-z]+|[0-9]+|[^\sa-z0-9]", text.lower())


def padded(
    tokenizer: FileTokenizer | WordTokenizer, ids: Sequence[Sequence[int]], texts: Sequence[str]
) -> Int64[Tensor, "text position"]:
    """Pads the ids of texts to the longest of them, and refuses one that is longer than the context."""
    longest = max(map(len, ids), default=0)
    for text, own in zip(texts, ids, strict=True):
        if len(own) > tokenizer.context:
            raise ValueError(
                f"{type(tokenizer).__name__}: {text!r} has {len(own)} tokens with start and end, and "
                f"context={tokenizer.context}: shorten it."
            )
    return torch.tensor([[*own, *[tokenizer.padding] * (longest - len(own))] for own in ids], dtype=torch.int64)


def read_backend(folder: Path) -> Any:
    """Reads the tokenizer of a folder by the package tokenizers.

    Raises:
        FileNotFoundError: If the folder has no files of one.
        ValueError: If its files cannot be read.
        ImportError: If the package is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            f"FileTokenizer needs the package tokenizers ({error}): {installed_by('tokenizers')}."
        ) from error
    if (folder / "tokenizer.json").is_file():
        with _named(folder / "tokenizer.json"):
            backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        backend.no_padding()
        backend.no_truncation()
        return backend
    files = folder / "vocab.json", folder / "merges.txt"
    if not all(file.is_file() for file in files):
        raise FileNotFoundError(
            f"FileTokenizer: {folder} holds neither tokenizer.json nor vocab.json and merges.txt: copy them from the "
            "model's page."
        )
    with _named(*files):
        return byte_pairs(tokenizers, *map(str, files))


@contextmanager
def _named(*files: Path) -> Iterator[None]:
    """Names files that the package tokenizers cannot read; what it raises itself is a bare `Exception`."""
    try:
        yield
    except Exception as error:
        named = " and ".join(map(str, files))
        raise ValueError(
            f"FileTokenizer: {named} cannot be read ({error}): copy what belongs to the model again."
        ) from error


def byte_pairs(tokenizers: Any, vocabulary: str, merges: str) -> Any:
    """Builds a tokenizer of byte pairs from its two files, CLIP's or RoBERTa's as the marks in them say."""
    pieces, normalizers = tokenizers.pre_tokenizers, tokenizers.normalizers
    table, pairs = tokenizers.models.BPE.read_file(vocabulary, merges)
    if CLIP_MARKS[0] not in table:
        backend = tokenizers.Tokenizer(tokenizers.models.BPE(table, pairs))
        backend.pre_tokenizer = pieces.ByteLevel(add_prefix_space=False)
        return backend
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(table, pairs, end_of_word_suffix="</w>"))
    spaces = normalizers.Replace(tokenizers.Regex(r"\s+"), " ")
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    split = pieces.Split(tokenizers.Regex(CLIP_PIECES), behavior="removed", invert=True)
    backend.pre_tokenizer = pieces.Sequence([split, pieces.ByteLevel(add_prefix_space=False)])
    return backend
