"""The map for newcomers, `docs/architecture.md`, is true: its files are on the way of a batch, its folders are the tree."""

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from crossmodal.cli.main import main
from crossmodal.injection import Lockstep
from crossmodal.tasks import event_system

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "assets" / "architecture.svg"
HOP = re.compile(r"^\| (\d) \| `([\w/]+\.py)` \|", re.MULTILINE)
BESIDE = re.compile(r"^\| `([\w/]+\.py)` \|", re.MULTILINE)
FOLDER = re.compile(r"^\| `([\w/]+)` \| (\d+) \|", re.MULTILINE)
CHECKS = {"crossmodal/shapes.py", "crossmodal/signature.py"}
"""Files that stand between any two calls of a checked forward."""


class Reached(Exception):
    """Ends a training at its first loss."""


class Recorder:
    """Records the files whose functions run, and the stack of our files at two of them."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.stacks: dict[str, list[str]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        self.files.add(frame.f_code.co_filename)

    def stack(self, name: str) -> None:
        """Keeps our files on the stack, outermost first, each once in a row."""
        found: list[str] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            file = ours(frame.f_code.co_filename)
            if file and not file.startswith("tests/") and found[:1] != [file]:
                found.insert(0, file)
            frame = frame.f_back
        self.stacks[name] = found


def ours(file: str) -> str:
    """Path within the repository, or nothing."""
    path = Path(file).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Recorder:
    """`crossmodal ave fit` up to its first loss."""
    recorder, runs = Recorder(), tmp_path_factory.mktemp("runs")

    def event_losses(outputs, labels, **options):
        recorder.stack("loss")
        raise Reached

    advance = Lockstep.advance

    def watched(self, *arguments):
        recorder.stack("lockstep")
        return advance(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(event_system, "event_losses", event_losses)
        patched.setattr(Lockstep, "advance", watched)
        sys.setprofile(recorder)
        try:
            with pytest.raises(Reached):
                main(f"ave fit --runs {runs} --name a --data.clips 2 --data.held_out 2 --data.batch_size 2".split())
        finally:
            sys.setprofile(None)
    return recorder


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
        stack = [file for file in recorded.stacks[name] if file not in CHECKS]
        assert stack == way[: way.index(last) + 1]


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
