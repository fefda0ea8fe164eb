"""Every command that a page shows is parsed by its own parser, with all its options and values; none is run."""

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import jsonargparse
import pytest

from crossmodal.cli.copy import copy
from crossmodal.cli.main import VERBS, run
from crossmodal.tasks.resolve import find_task
from crossmodal.training.options import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAB = re.compile(r"^```python\n(# mylab\.py\n.*?)^```$", re.MULTILINE | re.DOTALL)
DESCRIBED = ("cost",)
"""Verbs whose parser leaves the options of `fit` to that of `fit`."""


def shown() -> Iterator[tuple[str, str]]:
    """The page and the words of every command."""
    for page in PAGES:
        for block in SHELL.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield str(page.relative_to(ROOT)), line.removeprefix("$ ")


SHOWN = sorted(set(shown()))


class Parsed(Exception):
    """Stops a command once its words are parsed; holds what was not understood."""

    def __init__(self, unknown: list[str]):
        super().__init__(unknown)
        self.unknown = unknown


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A folder with the files that the commands name: `mylab.py`, `mine.py`, `mine.yaml`."""
    folder = tmp_path_factory.mktemp("lab")
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    (folder / "mylab.py").write_text("\n".join(LAB.findall(pages)))
    copy(["ave/dg_sct", str(folder / "mine.py")])
    parser, given = parse([], find_task("ave"))
    (folder / "mine.yaml").write_text(parser.dump(given))
    return folder


@pytest.fixture
def stops(lab, monkeypatch) -> None:
    """Every parser stops its command behind parsing, in the folder of the lab; those of `fit` are called by hand."""
    parse_known, parse_all = argparse.ArgumentParser.parse_known_args, jsonargparse.ArgumentParser.parse_args

    def stopping(self, args=None, namespace=None):
        given, unknown = parse_known(self, args, namespace)
        if isinstance(self, jsonargparse.ArgumentParser) or not self.add_help:
            return given, unknown
        raise Parsed(unknown)

    def stopping_behind_types(self, args=None, **options):
        given = parse_all(self, args, **options)
        # jsonargparse parses a nested default by a parser of its own, which has no such name
        if self.prog.endswith(" fit") or not self.prog.startswith(("crossmodal ", "python -m ")):
            return given
        raise Parsed([])

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", stopping)
    monkeypatch.setattr(jsonargparse.ArgumentParser, "parse_args", stopping_behind_types)
    monkeypatch.chdir(lab)
    monkeypatch.syspath_prepend(lab)


@pytest.mark.parametrize(("page", "line"), SHOWN)
@pytest.mark.usefixtures("stops")
def test_a_command_that_is_shown_is_parsed(page, line):
    words = shlex.split(line, comments=True)
    if words[-2:-1] == [">"]:
        words = words[:-2]
    tool, *rest = words
    if "-m" in words:
        module, *rest = words[words.index("-m") + 1 :]
        if module != "crossmodal":
            check_module(module, rest)
            return
        tool = "crossmodal"
    if tool == "dask":
        check_dask(rest)
    elif tool == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    else:
        assert Path(tool).name == "crossmodal", f"{page} shows {tool}: say here how to check it"
        check_crossmodal(rest)


def check_crossmodal(words: Sequence[str]) -> None:
    """One command of ours: its own words, and the options of `fit` that it passes on."""
    if words[0] == "copy":
        assert stopped(words) == []
        return
    if words == ["--help"]:
        assert run(words) == 0
        return
    task, verb, *rest = words
    if verb == "--help":
        assert run(words) == 0
        return
    assert verb in VERBS, f"there is no verb {verb}"
    if verb == "fit":
        check_fit(task, rest)
        return
    at = rest.index("--") if "--" in rest else len(rest)
    unknown = stopped([task, verb, *rest[:at]])
    assert unknown == [] or verb in DESCRIBED, f"{verb} has no option {unknown}"
    check_fit(task, [*unknown, *rest[at + 1 :]])


def check_fit(task: str, words: Sequence[str]) -> None:
    """Options of `fit`: parsed with their values, as the command itself would."""
    if "--print_config" in words:
        with pytest.raises(SystemExit) as left:
            parse(words, find_task(task))
        assert left.value.code == 0
    else:
        parse(words, find_task(task))


def check_module(module: str, words: Sequence[str]) -> None:
    """A module with a command of its own."""
    main = f"{module}.__main__" if (ROOT / module / "__main__.py").is_file() else module
    with pytest.raises(Parsed) as left:
        import_module(main).main(list(words))
    assert left.value.unknown == []


def check_dask(words: Sequence[str]) -> None:
    """A scheduler or a worker of dask, by the options that it has."""
    known = import_module(f"distributed.cli.dask_{words[0]}").main.params
    unknown = {word for word in words if word.startswith("--")} - {name for option in known for name in option.opts}
    assert not unknown, f"dask {words[0]} has no option {unknown}"


def stopped(words: Sequence[str]) -> list[str]:
    """Runs a command up to the end of its parsing; returns what its parser did not understand."""
    with pytest.raises(Parsed) as left:
        run(list(words))
    return left.value.unknown


def test_there_are_commands_on_the_pages():
    assert len(SHOWN) > 30
