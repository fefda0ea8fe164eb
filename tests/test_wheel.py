"""What is installed: every file of the tree under one import name, from a wheel and from a source archive."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"__pycache__"}


def build(source: Path, kind: str, out: Path) -> Path:
    """The wheel or source archive of a folder, by hatchling itself: no network, no environment of its own."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """The wheel of this tree, and the one that pip makes of the source archive."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("direct", "sdist", "unpacked", "through")}
    direct = build(ROOT, "wheel", folders["direct"])
    with tarfile.open(build(ROOT, "sdist", folders["sdist"])) as archive:
        assert not [member.name for member in archive if member.issym()]  # Windows unpacks no links
        archive.extractall(folders["unpacked"], filter="data")
    (unpacked,) = folders["unpacked"].iterdir()
    return {"direct": direct, "through a source archive": build(unpacked, "wheel", folders["through"])}


def tree() -> set[str]:
    """The files that an installation must have; those of `recipes/` lie in `crossmodal/recipes/`."""
    found = set()
    for top, prefix in (("crossmodal", ""), ("recipes", "crossmodal/")):
        files = [file for file in (ROOT / top).rglob("*") if file.is_file() and not LEFT_OUT & set(file.parts)]
        found |= {prefix + str(file.relative_to(ROOT)) for file in files}
    return found


@pytest.mark.parametrize("kind", ["direct", "through a source archive"])
def test_a_wheel_has_every_file_of_the_tree_under_one_name(wheels, kind):
    names = ZipFile(wheels[kind]).namelist()
    installed = {name for name in names if ".dist-info/" not in name}
    assert installed == tree()
    assert "crossmodal/recipes/ave/dg_sct.py" in installed
    assert {"crossmodal/py.typed", "crossmodal/evaluation/published.csv"} <= installed
    assert any(name.endswith(".safetensors") for name in installed)
    assert any("/templates/" in name for name in installed)


def test_tasks_and_systems_are_found_in_an_installation(wheels, tmp_path):
    """By their place in the installed package, wherever Python is started."""
    site = tmp_path / "site"
    ZipFile(wheels["direct"]).extractall(site)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import crossmodal, crossmodal.recipes\n"
        "from crossmodal.tasks.names import system_names, task_names\n"
        "print(crossmodal.recipes.__file__); print(*task_names()); print(*system_names('ave'))"
    )
    command = [sys.executable, "-c", code, str(site)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    file, tasks, systems = ran.stdout.splitlines()
    assert Path(file).is_relative_to(site)
    assert {"ave", "classify"} <= set(tasks.split())
    assert {"dg_sct", "dg_sct_released", "lavish", "lite"} <= set(systems.split())


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory) -> tuple[Path, Path]:
    """The Python of a clean environment that has the wheel, and a folder beside a package `recipes` of somebody else.

    What the wheel depends on is that of this environment, whose own copy of the library is not seen: paths of an
    editable installation are read from the site's own folder alone.
    """
    place, folder = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("foreign")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheels["direct"])], capture_output=True, text=True, check=True)
    (site,) = place.glob("lib/python*/site-packages")
    # behind pip, which would take the library of this environment for the one that it is to replace
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "__init__.py").write_text('raise RuntimeError("the recipes of somebody else")\n')
    return python, folder


def run_installed(installed: tuple[Path, Path], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the foreign folder, with no path of this tree."""
    _, folder = installed
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


TINY_FIT = [
    "--data.clips=2", "--data.held_out=2", "--data.batch_size=2", "--trainer.max_epochs=1",
]  # fmt: skip


@pytest.mark.slow
def test_an_installation_fits_and_ablates_beside_a_foreign_package(installed):
    """With a word on the command line, and with the workers of an ablation, which are processes of their own."""
    python, folder = installed
    crossmodal = str(python.with_name("crossmodal"))
    where = run_installed(installed, str(python), "-c", "import crossmodal.recipes as r; print(r.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1]), where.stderr
    fitted = run_installed(installed, crossmodal, "ave", "fit", "--name", "first", *TINY_FIT)
    assert fitted.returncode == 0, fitted.stderr
    assert {"report.html", "summary.json"} <= {file.name for file in (folder / "runs/first").iterdir()}
    assert "epoch 1/1, step 1, " in fitted.stdout  # no terminal
    words = ["ave", "ablate", "--without", "spatial", "--seeds", "0", "--workers", "2", "--", *TINY_FIT]
    ablated = run_installed(installed, crossmodal, *words)
    assert ablated.returncode == 0, ablated.stdout + ablated.stderr
    table = (folder / "runs/ablation/table.md").read_text(encoding="utf-8")
    assert "without spatial" in table
    summaries = list((folder / "runs/ablation").glob("*/summary.json"))
    assert len(summaries) == 2
    assert all("accuracy" in json.loads(file.read_text())["test"] for file in summaries)


SCRIPT = """
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.encoders import htsat, swin_v2

visual = swin_v2(32, width=16, depths=(2, 2), heads=(2, 4), window=4)
audio = htsat(32, mels=16, width=16, depths=(2, 2), heads=(2, 4), window=4)
print(dg_sct(visual, audio).steps)
dg_sct(1, 2)
"""


@pytest.mark.slow
def test_a_type_checker_reads_an_installation(installed):
    """`mypy --strict` on a script of a user's: the wrong call alone is an error, at its line."""
    python, folder = installed
    (folder / "mine.py").write_text(SCRIPT.lstrip())
    words = ["--strict", "--python-executable", str(python), "--cache-dir", str(folder / "cache"), "mine.py"]
    said = run_installed(installed, sys.executable, "-m", "mypy", *words)
    errors = [line for line in said.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, said.stdout + said.stderr
    for line, argument, value in zip(errors, (1, 2), ("int", "int"), strict=True):
        assert line.startswith(f'mine.py:7: error: Argument {argument} to "dg_sct" has incompatible type "{value}"'), (
            line
        )
