"""The command line finds tasks and verbs by their places; what it says to what it does not know, what help costs."""

import subprocess
import sys
from importlib import import_module

import pytest
from commands import crossmodal
from optional_packages import OPTIONAL

from crossmodal.cli.main import VERBS, run, usage
from crossmodal.tasks.names import task_names

EVERY = [(task, verb) for task in task_names() for verb in VERBS]


def test_every_verb_is_told_and_is_the_function_of_its_name():
    for verb in VERBS:
        assert f"crossmodal TASK {verb} " in usage()
        assert callable(getattr(import_module(f"crossmodal.cli.{verb}"), verb))


@pytest.mark.parametrize(("task", "verb"), EVERY)
def test_every_verb_of_every_task_explains_itself_or_says_why_there_is_none(tmp_path, task, verb):
    said = crossmodal(tmp_path, task, verb, "--help")
    if said.code == 2:
        assert f"crossmodal: {task} has no {verb}: " in said.err
    else:
        assert said.code == 0, said.err
        assert f"crossmodal {task} {verb}" in said.out


@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("words", [[], ["--help"]], ids=["alone", "--help"])
def test_a_task_lists_its_verbs_and_systems(tmp_path, task, words):
    said = crossmodal(tmp_path, task, *words)
    assert said.code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in said.out
    assert "dg_sct, dg_sct_" in said.out  # the paper's form, and a released one


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["ave", "fti"], "there is no command 'ave fti'. Did you mean 'ave fit' or "),
        (["cpoy", "ave/dg_sct", "mine.py"], "there is no command 'cpoy ave/dg_sct'."),
        (["fit"], "there is no command 'fit'."),
        (["xyzzy"], "there is no command 'xyzzy'."),
    ],
)
def test_an_unknown_command_is_answered_with_near_misses(tmp_path, words, hint):
    said = crossmodal(tmp_path, *words)
    assert said.code == 2
    assert usage() in said.err
    assert hint in said.err


def test_an_unknown_task_is_answered_with_near_misses(tmp_path):
    said = crossmodal(tmp_path, "avee", "fit")
    assert said.code == 1
    assert "There is no task 'avee': did you mean 'ave'?" in said.err


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0)])
def test_usage(tmp_path, words, code):
    said = crossmodal(tmp_path, *words)
    assert (said.code, said.out) == (code, f"{usage()}\n")


def test_arguments_and_exit_code_are_passed_on(monkeypatch):
    given = []
    monkeypatch.setattr("crossmodal.cli.copy.copy", lambda argv: given.append(list(argv)) or 3)
    assert run(["copy", "a", "--b"]) == 3
    assert given == [["a", "--b"]]


def test_without_the_extra_the_command_that_installs_it_is_named(tmp_path):
    """An import hook stands in for an environment without the packages of the extra."""
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(OPTIONAL - {"torchvision"})!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
importlib.util.find_spec = lambda name: None
from crossmodal.cli.main import main
sys.exit(main(["ave", "fit"]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 1
    assert 'is not installed, and what was asked for needs it: pip install "crossmodal-blocks[recipes]"' in ran.stderr
    assert "Traceback" not in ran.stderr


def test_asking_for_help_imports_neither_torch_nor_an_extra():
    code = "import sys; from crossmodal.cli.main import main; main(['--help']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    assert not imported & (OPTIONAL | {"torch", "numpy"})
