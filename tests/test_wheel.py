"""What is installed: every file of the tree under one import name, from a wheel and from a source archive."""

import subprocess
import sys
import tarfile
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
