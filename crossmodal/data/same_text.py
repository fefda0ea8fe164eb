"""Identity of names that users write: texts are the same where they look and are meant the same, not by code points."""

import csv
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

BACKGROUND = "background"
"""Name of a second without an event; no event may bear it."""

_LETTERS = str.maketrans("АВЕЅІЈКМНОРСТУХаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧονи", "ABESIJKMHOPCTYXaesijopcyxABEZHIKMNOPTYXovu")
"""Letters of Cyrillic and Greek that look like Latin ones."""

_SELECTORS = frozenset(map(chr, [0x034F, *range(0xFE00, 0xFE10)]))
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def same_name(text: str) -> str:
    """Returns a key that is equal for names of files that look the same: composed, without invisible characters."""
    return "".join(each for each in unicodedata.normalize("NFC", text) if not _invisible(each))


def same_text(text: str) -> str:
    """Returns a key that is equal for labels that look the same: as `same_name`, and any blanks are one space."""
    return " ".join(same_name(text).split())


def plain_text(text: str) -> str:
    """Returns a label as it is shown: composed, any blanks one space, nothing invisible at its ends or beside it.

    Joiners, which some scripts and emoji are spelt with, stay where they are.
    """
    kept = [each for each in unicodedata.normalize("NFC", text) if not _invisible(each) or each in "\u200c\u200d\ufe0f"]
    return " ".join("".join(kept).split()).strip("\u200c\u200d")


def listed_names(text: str, what: str) -> list[str]:
    """Returns names that are separated by commas; one that holds a comma stands in double quotes.

    Args:
        text: The names.
        what: Names the option in errors.

    Raises:
        ValueError: If a quote is not closed, or a name stands twice, maybe in two ways that look the same.
    """
    try:
        cells = next(csv.reader([" ".join(text.splitlines())], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"{what} {text!r}: a double quote is not closed where its name ends: close it.") from error
    names = [name for cell in cells if (name := plain_text(cell))]
    counts = Counter(map(same_text, names))
    if twice := [name for name in names if counts[same_text(name)] > 1]:
        raise ValueError(f"{what} {text!r}: {twice[0]!r} stands twice: leave it out once.")
    return names


def look_alike(text: str) -> str:
    """Returns a key that is equal for labels that are easily taken for one another: by case, width, letters of kin."""
    return unicodedata.normalize("NFKC", same_text(text)).translate(_LETTERS).casefold()


def alike(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yields the names that are easily taken for one another, together."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(look_alike(name), []).append(name)
    yield from (tuple(group) for group in found.values() if len(group) > 1)


def unprintable(text: str) -> str:
    """Returns in words what no name may hold, a line break or a control character; empty where there is nothing."""
    for each in text:
        if each in _BREAKS:
            return "a line break"
        if unicodedata.category(each) == "Cc" and each != "\t":
            return f"the control character {each!r}"
    return ""


def printable(text: str) -> str:
    """Returns text that can be printed and written as UTF-8: bytes of a name that are none become hex."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_utf8(text: str) -> bool:
    """Returns whether a name can be written as UTF-8; that of a file may hold any bytes."""
    return not any("\ud800" <= each <= "\udfff" for each in text)


class NameFinder:
    """Finds files by names that look like theirs: macOS and Windows, say, compose letters in different ways."""

    def __init__(self, root: Path):
        """Names the folder; each folder in it is listed at most once.

        Args:
            root: Folder that names are in.
        """
        self.root = root
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path:
        """Returns the file of a name: the very one where there is one, else one that looks the same, if it is alone."""
        place = self.root / name
        if place.exists():
            return place
        found = self.root
        for part in Path(name).parts:
            among = self._names(found).get(same_name(part), [])
            found /= part if (found / part).exists() or len(among) != 1 else among[0]
        return found if found.exists() else place

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            listed: dict[str, list[str]] = {}
            for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
                listed.setdefault(same_name(entry.name), []).append(entry.name)
            self._listed[folder] = listed
        return self._listed[folder]


def _invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or character in _SELECTORS
