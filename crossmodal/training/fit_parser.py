"""Parser of `fit`: short help that lists the options of every data source, and errors in one sentence."""

import argparse
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jsonargparse import DefaultHelpFormatter

from crossmodal.data.source import Source
from crossmodal.option_parser import OptionParser, nearest_option

from .choice import required
from .component_parser import ComponentParser


class ShortHelp(DefaultHelpFormatter):
    """Help without the thousands of modules that torch knows and any component could be."""

    def _expand_help(self, action: argparse.Action) -> str:
        return re.sub(r", known subclasses: [^)]*", "", super()._expand_help(action))


class FitParser(OptionParser, ComponentParser):
    """Parser of the options of one system and one data source, which knows those of the other sources, too.

    Attributes:
        other_sources: Name → source of the task that the options do not choose.
        asked_by: Parser of another verb that takes these options beside its own; `None` for `fit`.
    """

    other_sources: Mapping[str, type[Source]] = MappingProxyType({})
    asked_by: OptionParser | None = None

    def format_help(self, formatter: argparse.HelpFormatter | None = None) -> str:
        """Returns the help, with the options of the other sources at its end."""
        known = self._names()
        others = (self._help_of(name, source, known) for name, source in self.other_sources.items())
        described = super().format_help() if formatter is None else super().format_help(formatter)
        return described + "".join(others)

    def known_options(self) -> list[str]:
        """Returns the options of all sources, behind those of the verb that asks."""
        asked_by = self.asked_by.known_options() if self.asked_by is not None else []
        return [*asked_by, *super().known_options(), *self._elsewhere()]

    def unknown(self, words: Sequence[str]) -> str:
        """Returns the sentence for words that the parser does not know, or that belong to another source."""
        asked = words[0].partition("=")[0]
        elsewhere = self._elsewhere()
        if meant := elsewhere.get(nearest_option(asked, self.known_options())):
            return (
                f"{super().unknown(words)} It is of {meant}." if asked not in elsewhere else f"{asked} is of {meant}."
            )
        return super().unknown(words)

    def _elsewhere(self) -> dict[str, str]:
        """Returns the options of other sources, and how these are chosen."""
        known, found = self._names(), {}
        for name, source in self.other_sources.items():
            own = {action.dest for action in _parser_of(source, known)._actions if action.dest.startswith("data.")}
            found.update({f"--{option}": _ways(name, source) for option in own})
        return found

    def _names(self) -> set[str]:
        return {action.dest for action in self._actions}

    def _help_of(self, name: str, source: type[Source], known: set[str]) -> str:
        """Returns the help of the options that a source has beyond the known ones."""
        described = _parser_of(source, known).format_help().split("\n", 1)[1].strip("\n")
        described = re.sub(r"  --data CONFIG .*\n", "", described)  # listed above
        return f"\n{_ways(name, source)} also takes:\n\n{described}\n"


def _parser_of(source: type[Source], known: set[str]) -> FitParser:
    """Returns a parser of the options of one source without those that are known."""
    parser = FitParser(prog="", usage=" ", formatter_class=ShortHelp, add_help=False, print_config=None)
    skip = {option.removeprefix("data.") for option in known if option.startswith("data.")}
    parser.add_class_arguments(source, "data", skip=skip)
    return parser


def _ways(name: str, source: type[Source]) -> str:
    """Returns the name of a source with the options that choose it."""
    chosen_by = " ".join(f"--data.{keyword} …" for keyword in required(source))
    return f"the data source {name} ({chosen_by or 'the default'})"
