"""`docs/architecture.md` is true: its files are on the way of a batch, its folders are the tree."""

import re
import sys
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest
from test_floors import FLOORS

import crossmodal.cli.fit  # noqa: F401 (before the recording, which slows imports down)
from crossmodal.cli.main import main
from crossmodal.injection import Lockstep
from crossmodal.tasks import event_system

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "assets" / "architecture.svg"
HOP = re.compile(r"^\| (\d) \| `([\w/]+\.py)` \|", re.MULTILINE)
BESIDE = re.compile(r"^\| `([\w/]+\.py)` \|", re.MULTILINE)
FOLDER = re.compile(r"^\| `([\w/]+)` \| (\d+) \|", re.MULTILINE)
CHECKS = {"crossmodal/shapes.py", "crossmodal/check_cache.py"}
"""Files that stand between any two calls of a checked forward."""


class Reached(Exception):
    """Ends a training at its first loss."""


class Recorded(NamedTuple):
    """What a training up to its first loss came by.

    Attributes:
        files: Files whose functions ran.
        stacks: Our files on the call stack, outermost first, by the place where it was read.
    """

    files: set[str]
    stacks: dict[str, list[str]]


def stack() -> list[str]:
    """Our files on the call stack, outermost first; neither tests nor the checks, and none twice in a row."""
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = ours(frame.f_code.co_filename)
        if file.startswith("crossmodal/") and file not in CHECKS and found[:1] != [file]:
            found.insert(0, file)
        frame = frame.f_back
    return found


def ours(file: str) -> str:
    """Path within the repository, or nothing."""
    path = Path(file).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) and path.is_file() else ""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Recorded:
    """`crossmodal ave fit` up to its first loss."""
    files, stacks = set(), {}
    runs, advance, add = tmp_path_factory.mktemp("runs"), Lockstep.advance, files.add

    def event_losses(outputs, labels, **options):
        stacks["loss"] = stack()
        raise Reached

    def watched(self, *arguments):
        stacks["lockstep"] = stack()
        return advance(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(event_system, "event_losses", event_losses)
        patched.setattr(Lockstep, "advance", watched)
        sys.setprofile(lambda frame, event, argument: add(frame.f_code.co_filename))
        try:
            with pytest.raises(Reached):
                main(f"ave fit --runs {runs} --name a --data.clips 2 --data.held_out 2 --data.batch_size 2".split())
        finally:
            sys.setprofile(None)
    return Recorded(files, stacks)


def hops() -> list[str]:
    found = HOP.findall(PAGE.read_text(encoding="utf-8"))
    assert [number for number, _ in found] == [str(n + 1) for n in range(len(found))]
    return [file for _, file in found]


def test_the_way_has_at_most_eight_hops_and_every_file_exists():
    beside = BESIDE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(hops()) <= 8
    assert beside
    for file in [*hops(), *beside]:
        assert (ROOT / file).is_file(), f"{file} is on the map and not in the tree"


def test_the_way_is_the_call_stack(recorded):
    """At the loss, and inside the lockstep: the hops in their order and no other file of ours."""
    way = hops()
    for name, last in (("lockstep", "crossmodal/injection/lockstep.py"), ("loss", "crossmodal/tasks/event_system.py")):
        assert recorded.stacks[name] == way[: way.index(last) + 1]


def test_the_files_beside_the_way_run_before_the_loss(recorded):
    visited = {ours(file) for file in recorded.files}
    for file in [*hops(), *BESIDE.findall(PAGE.read_text(encoding="utf-8"))]:
        assert file in visited, f"{file} is on the map, and a training does not come by it"


def test_the_picture_names_the_same_files():
    boxes = re.findall(r'class="code"[^>]*>([^<]+)<', PICTURE.read_text(encoding="utf-8"))
    named = {name for box in boxes for name in re.findall(r"[\w/]+\.py", box)}
    missing = [file for file in hops() if not any(file.endswith(f"/{name}") for name in named)]
    assert missing == []


def test_the_tree_has_a_line_for_every_folder():
    listed = dict(FOLDER.findall(PAGE.read_text(encoding="utf-8")))
    there = {
        str(file.parent.relative_to(ROOT))
        for top in ("crossmodal", "recipes")
        for file in (ROOT / top).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert set(listed) == there - {"crossmodal/recipes"}


def test_the_floors_of_the_tree_are_those_that_are_enforced():
    for folder, floor in FOLDER.findall(PAGE.read_text(encoding="utf-8")):
        parts = folder.split("/")
        owner = parts[0] if parts[0] == "recipes" else parts[1] if len(parts) > 1 else "shapes"
        assert FLOORS[owner] == int(floor), f"{folder} is listed on floor {floor}"
