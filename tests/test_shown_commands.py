"""Every command that a page shows exists, with every option that it is given; none is run."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from crossmodal.cli.ave_options import AVE
from crossmodal.cli.classify_options import CLASSIFY

from crossmodal.cli.main import COMMANDS, run
from crossmodal.training.options import Choice, chosen, options

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TASKS = {"ave fit": AVE, "classify fit": CLASSIFY}


def shown() -> Iterator[tuple[str, str]]:
    """The page and the words of every command."""
    for page in PAGES:
        for block in SHELL.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield str(page.relative_to(ROOT)), line.removeprefix("$ ")


SHOWN = sorted(set(shown()))


@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_a_command_that_is_shown_exists(page, line, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = shlex.split(line, comments=True)
    if words[-2:-1] == [">"]:
        words = words[:-2]
    tool, *rest = words
    if "-m" in words:
        module, *rest = words[words.index("-m") + 1 :]
        if module != "recipes":
            check_options(rest, said_by(lambda: import_module(main_of(module)).main(["--help"]), capsys))
            return
        tool = "crossmodal"
    if tool == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    else:
        assert Path(tool).name == "crossmodal", f"{page} shows {tool}: say here how to check it"
        check_crossmodal(rest, capsys)


def check_crossmodal(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = [name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS]
    if command in TASKS:
        check_fit(command, words[2:])
        return
    own, _, passed_on = " ".join(words[len(command.split()) :]).partition(" -- ")
    if passed_on:
        check_fit("ave fit", passed_on.split())
    check_options(own.split(), said_by(lambda: run([*command.split(), "--help"]), capsys))


def check_fit(command: str, words: Sequence[str]) -> None:
    known = known_options(
        command, chosen([word for word in words if word != "--config"])._replace(training="careful_training")
    )
    for name in given(words):
        owner = name.rpartition(".")[0]  # `--model.spatial.k` belongs to the class that `--model.spatial` names
        assert name in known or owner in known, f"`crossmodal {command}` has no option {name}"


@cache
def known_options(command: str, choice: Choice) -> frozenset[str]:
    return frozenset(options(TASKS[command], choice)._option_string_actions)


def main_of(module: str) -> str:
    return f"{module}.__main__" if (ROOT / module / "__main__.py").is_file() else module


def said_by(ask: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command answers to `--help`."""
    with pytest.raises(SystemExit) as left:
        ask()
    assert left.value.code == 0
    return capsys.readouterr().out


def check_options(words: Sequence[str], said: str) -> None:
    for name in given(words):
        assert re.search(rf"{name}\b", said), f"there is no option {name} in\n{said}"


def given(words: Sequence[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("--")]


def test_there_are_commands_on_the_pages():
    assert len(SHOWN) > 30
