"""The command line's table: what it dispatches, what it says to what it does not know, and what it costs to ask."""

import subprocess
import sys
from importlib import import_module

import pytest
from commands import crossmodal
from optional_packages import OPTIONAL

from crossmodal.cli.main import COMMANDS, USAGE, run


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_told_and_exists(words):
    assert f"crossmodal {words} " in USAGE
    module, _, function = COMMANDS[words].rpartition(".")
    assert callable(getattr(import_module(module), function))


# classes of a copied recipe that another test ran and forgot may still be alive, and are looked up by their module
@pytest.mark.filterwarnings("ignore:.*\\s*Hit failing import")
@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_explains_itself(tmp_path, words):
    said = crossmodal(tmp_path, *words.split(), "--help")
    assert said.code == 0
    assert f"crossmodal {words}" in said.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["ave", "fti"], "there is no command 'ave fti'. Did you mean 'ave fit' or "),
        (["cpoy", "ave", "mine"], "there is no command 'cpoy ave'. Did you mean 'copy'?"),
        (["ave", "--run"], "there is no command 'ave'."),
        (["xyzzy"], "there is no command 'xyzzy'. There are ave fit, "),
    ],
)
def test_an_unknown_command_is_answered_with_near_misses(tmp_path, words, hint):
    said = crossmodal(tmp_path, *words)
    assert said.code == 2
    assert USAGE in said.err
    assert hint in said.err


def test_arguments_and_exit_code_are_passed_on(monkeypatch):
    given = []
    monkeypatch.setattr("crossmodal.cli.copy.copy", lambda argv: given.append(list(argv)) or 3)
    assert run(["copy", "a", "--b"]) == 3
    assert run(["mine", "a"], {"mine": "crossmodal.cli.copy.copy"}) == 3
    assert given == [["a", "--b"], ["a"]]


def test_asking_for_help_imports_neither_torch_nor_an_extra():
    code = "import sys; from crossmodal.cli.main import main; main(['--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    assert not imported & (OPTIONAL | {"torch", "numpy"})
