"""Command lines that are refused in one sentence: the option, its value, what is allowed, what may have been meant."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

PLAIN_TYPES = {
    "int": "an integer",
    "float": "a number",
    "number": "a number",
    "bool": "true or false",
    "str": "a text",
    "NoneType": "null",
    "Path": "a path",
    "PosixPath": "a path",
    "list": "a list",
    "dict": "a mapping",
}
"""Name of a type in a message of a parser → what a reader calls it."""

QUOTES = "'\""


class OptionParser(argparse.ArgumentParser):
    """Parser whose errors are one sentence with near misses instead of the usage of all options; exit code 2.

    A subclass may come before another parser, such as jsonargparse's, whose errors it then writes.

    Attributes:
        dotted: Said of an unknown option with a dot in its name, such as where options of another verb stand.
    """

    dotted = ""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the sentence and exits with code 2; raises it where the parser does not exit."""
        if not self.exit_on_error:  # a parser inside a parser: the outer one writes the sentence
            raise argparse.ArgumentError(None, message) from ex
        self.exit(2, f"{self.prog}: {self.sentence(message)}\n")

    def sentence(self, message: str) -> str:
        """Returns the sentence for a message of argparse or jsonargparse."""
        if found := re.match(r"unrecognized arguments: (.*)", message, re.DOTALL):
            return self.unknown(found[1].split())
        if found := re.match(r"the following arguments are required: (.*)", message):
            return self.missing(found[1].split(", "))
        if found := re.match(r"argument (\S+): (.*)", message, re.DOTALL):
            return _of_argument(found[1].rpartition("/")[2], found[2])
        if found := re.match(r'Parser key "([^"]+)":\s*(.*)', message, re.DOTALL):
            return _of_key(found[1], found[2])
        return _in_one_line(message)

    def known_options(self) -> list[str]:
        """Returns the options that an unknown one is compared with."""
        return [option for action in self._actions for option in action.option_strings]

    def unknown(self, words: Sequence[str]) -> str:
        """Returns the sentence for words that the parser does not know."""
        asked = [word.partition("=")[0] for word in words if word.startswith("-")]
        if not asked:
            return f"{words[0]!r} is one word too many: options begin with --, and a value follows its option."
        said = f"there is no option {' and no '.join(dict.fromkeys(asked))}"
        if near := nearest_option(asked[0], self.known_options()):
            return f"{said}; did you mean {near}?"
        if self.dotted and "." in asked[0]:
            return f"{said}: {self.dotted}."
        return f"{said}: `{self.prog} --help` lists all."

    def missing(self, names: Iterable[str]) -> str:
        """Returns the sentence for arguments that must be given."""
        found = {name: self._action(name) for name in names}
        # argparse names positionals that may be absent, too
        wanted = {name: action for name, action in found.items() if action is None or action.nargs not in ("*", "?")}
        told = [action.option_strings[-1] if action and action.option_strings else n for n, action in wanted.items()]
        first = next(iter(wanted.values()), None)
        about = f" ({first.help.rstrip('.')})" if len(wanted) == 1 and first and first.help else ""
        return f"{' and '.join(told)} must be given{about}: `{self.prog} --help` lists all."

    def _action(self, name: str) -> argparse.Action | None:
        """Returns what argparse names by its option or metavar, and jsonargparse by its key."""
        return next((a for a in self._actions if name in (a.dest, a.metavar, "/".join(a.option_strings))), None)


def nearest_option(asked: str, known: Iterable[str]) -> str:
    """Returns the option that may have been meant; empty where none is near.

    Args:
        asked: As it was typed, `--batch-size`.
        known: All options; one in a group, `--data.batch_size`, is found by its last part, too.
    """
    options = [option for option in known if option.startswith("--")]
    word = asked.replace("-", "_")
    whole = {option.replace("-", "_"): option for option in options}
    leaves = {_leaf(option): option for option in reversed(options)}  # of several, the first
    if "." not in asked and (found := leaves.get(_leaf(word))):
        return found
    if near := difflib.get_close_matches(word, whole, n=1, cutoff=0.75):
        return whole[near[0]]
    near = difflib.get_close_matches(_leaf(word), leaves, n=1, cutoff=0.8)
    return leaves[near[0]] if near else ""


def _leaf(option: str) -> str:
    return option.replace("-", "_").strip("_").rpartition(".")[2]


def _of_argument(name: str, why: str) -> str:
    """Returns the sentence for `argument --seeds: invalid int value: 'x'` and its like."""
    if found := re.match(r"invalid (\w+) value: (.*)", why, re.DOTALL):
        return f"{name} {found[2].strip(QUOTES)} must be {PLAIN_TYPES.get(found[1], found[1])}."
    if found := re.match(r"invalid choice: (.*?) \(choose from (.*)\)", why, re.DOTALL):
        value, allowed = found[1].strip(QUOTES), [choice.strip(f"{QUOTES} ") for choice in found[2].split(",")]
        return f"{name} {value} must be {_one_of(allowed)}{_hint(value, allowed)}."
    if why.startswith("expected"):
        return f"{name} needs a value: {why}."
    return f"{name}: {_in_one_line(why)}"


def _of_key(key: str, why: str) -> str:
    """Returns the sentence for a value that jsonargparse refuses, whatever types it tried."""
    value = next(iter(re.findall(r"(?:Given|Got) value: (.*)", why)[-1:]), "").strip()
    nested = re.match(r"NestedArg\(key='(.*?)', val='?(.*?)'?\)$", value, re.DOTALL)
    option = f"--{key}.{nested[1]} {nested[2]}" if nested else f"--{key} {_in_one_line(value, '')}"
    tried = re.findall(r"^ *- (.*)$", why, re.MULTILINE) or [why.splitlines()[0]]
    if other := [reason for reason in map(_reason, [*tried, _in_one_line(why)]) if reason]:
        return f"{option} cannot be used: {other[0]}."
    allowed = [*dict.fromkeys(name for found in tried for name in _expected(found))]
    if nested:
        return f"{option} cannot be used: --{key} is {_either(allowed)} and has no {nested[1]!r}."
    if not allowed:
        return f"{option}: {_in_one_line(why)}"
    return f"{option} must be {_either(allowed)}{_hint(value, allowed)}."


def _reason(tried: str) -> str:
    """Returns why a class or function cannot be had; empty where another type was expected."""
    if found := re.search(r"Option '(.*?)' is not accepted.*class_path='(.*?)'", tried):
        return f"{found[2]} takes no {found[1]!r}"
    if found := re.search(r"expects a function or a callable class: ((?:(?! - Expected).)*)", tried):
        return _with_near_name(found[1].rstrip("."))
    found = re.search(r"(No module named '.*?'|module '.*?' has no attribute '.*?')", tried)
    return _with_near_name(found[1].rstrip(".")) if found else ""


def _with_near_name(reason: str) -> str:
    """Adds the name of a module that may have been meant, where the reason is that it lacks one."""
    found = re.match(r"module '(.*)' has no attribute '(.*)'", reason)
    if not found:
        return reason
    return reason + _hint(found[2], [name for name in dir(sys.modules.get(found[1])) if not name.startswith("_")])


def _expected(tried: str) -> Iterator[str]:
    """Yields what one of the types of an option takes, in words."""
    if found := re.search(r"typing\.Literal\[(.*)\]", tried):
        yield from (choice.strip(f"{QUOTES} ") for choice in found[1].split(","))
    elif found := re.search(r"Expected an? <class '(?:.*\.)?(\w+)'>", tried):
        yield PLAIN_TYPES.get(found[1], found[1])
    elif found := re.search(r"Expected (an? .*?)(?:\. Got value|$)", tried):
        yield found[1]


def _either(allowed: Sequence[str]) -> str:
    return _one_of(allowed) if len(allowed) > 4 else " or ".join(allowed)


def _one_of(allowed: Sequence[str]) -> str:
    return f"one of {', '.join(allowed)}" if len(allowed) > 1 else "".join(allowed)


def _hint(asked: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(asked, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _in_one_line(text: str, stop: str = ".") -> str:
    """Returns a text of several lines as one."""
    line = " ".join(text.split())
    return f"{line.rstrip('.')}{stop}"
