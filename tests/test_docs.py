"""The documentation: its Python runs, its links lead somewhere, and every public name is documented and on a page."""

import copy
import doctest
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest
import torch
import yaml

import crossmodal
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.testing.trial import wake

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

BLOCK = re.compile(r"^(?:<!-- no-test: (?P<reason>.+?) -->\n+)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENTRY = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
SNIPPET = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)
HEADING = re.compile(r"^#+ (.+?)(?: \{ *#([\w-]+) *\})?$", re.MULTILINE)

NOT_RUN: dict[str, int] = {}
"""How many Python blocks of a page are marked `<!-- no-test: reason -->`."""


class Block(NamedTuple):
    """A fenced block of Python: where it starts, and why it does not run, if it does not."""

    line: int
    code: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, found.start("code")), found["code"], found["reason"])
        for found in BLOCK.finditer(text)
    ]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=named)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The blocks of a page, in order, as one module in an empty folder."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # classes defined on a page can be pickled
    torch.manual_seed(0)
    for block in blocks(page):
        if block.reason is not None:
            continue
        if ">>> " in block.code:
            run_session(block, page, vars(module))
        else:
            exec(compile("\n" * block.line + block.code, str(page), "exec"), vars(module))


def test_every_script_that_one_copies_is_shown_on_a_page():
    """By the mark of a snippet, letter for letter: a formatter that takes it for Python puts spaces into it."""
    shown = {file for page in PAGES for file in SNIPPET.findall(page.read_text(encoding="utf-8"))}
    scripts = {named(file) for folder in ("scripts", "slurm") for file in (DOCS / folder).iterdir() if file.is_file()}
    assert scripts == {f"docs/{file}" for file in shown if file.startswith(("scripts/", "slurm/"))}


def test_the_model_of_the_first_page_is_dg_sct():
    """The same modules in the same places, with the same weights the same numbers, in seventeen lines."""
    (block,) = blocks(DOCS / "index.md")
    page = ModuleType("page")
    exec(compile(block.code, "index.md", "exec"), vars(page))
    written = block.code[block.code.index("def modulation") : block.code.index("model = dg_sct(")]
    assert len(written.split("\n\n\n")[0].splitlines()) + 3 <= 17  # the modulation, and what couples with it
    encoders = [copy.deepcopy(page.model.encoder(name)) for name in ("visual", "audio")]
    recipe = dg_sct(*encoders)
    assert recipe.steps == page.model.steps
    inputs = {"visual": page.frames, "audio": page.log_mel}
    wake(page.model.couplers)
    recipe.load_state_dict(page.model.state_dict())
    ours, shown = recipe.eval()(inputs), page.model.eval()(inputs)
    for name in inputs:
        assert not torch.equal(shown.streams[name], page.coupled.streams[name])
        torch.testing.assert_close(shown.streams[name], ours.streams[name])


def run_session(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    # A blank line ends what is expected, as the closing fence does.
    session = doctest.DocTestParser().get_doctest(
        block.code + "\n", {}, f"{named(page)}:{block.line}", str(page), block.line
    )
    session.globs = namespace
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(session, out=said.append, clear_globs=False)
    assert not failed, "".join(said)


def test_blocks_that_do_not_run_are_counted():
    counted = Counter(named(page) for page in PAGES for block in blocks(page) if block.reason is not None)
    assert dict(counted) == NOT_RUN


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path):
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(prose):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors(target), f"{named(page)} links to {link}; anchors there: {sorted(anchors(target))}"


def anchors(page: Path) -> set[str]:
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {given or anchor_of(title) for title, given in HEADING.findall(prose)}


def anchor_of(title: str) -> str:
    """As Markdown's table of contents names a heading."""
    words = re.sub(r"[^\w\s-]", "", title.encode("ascii", "ignore").decode()).strip().lower()
    return re.sub(r"[-\s]+", "-", words)


FOUR = {
    "a picture": r"^(<figure|!\[|```text)",
    "laws": r"^(\*\*Laws|## Laws)",
    "an example that runs": r"(?<! -->\n\n)^```python$",
    "a signature": r"^::: ",
}


@pytest.mark.parametrize("page", sorted((DOCS / "blocks").glob("*.md")), ids=named)
def test_a_page_of_blocks_has_picture_law_example_and_signature(page: Path):
    text = page.read_text(encoding="utf-8")
    missing = [what for what, pattern in FOUR.items() if not re.search(pattern, text, re.MULTILINE)]
    assert missing == []


def test_search_and_pictures_need_no_server():
    """mkdocs-material looks for a worker elsewhere where none is given; ours is a file of the site."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "  - offline\n" in settings
    (worker,) = yaml.safe_load(settings)["extra"]["polyfills"]
    assert "iframe-worker" in worker
    assert (DOCS / worker).is_file()
    for picture in DOCS.rglob("*.svg"):
        assert "http" not in picture.read_text(encoding="utf-8").replace("http://www.w3.org/", "")


def test_navigation_holds_every_page():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = list(leaves(nav))
    assert len(set(listed)) == len(listed)
    assert set(listed) == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav if isinstance(nav, list) else nav.values():
            yield from leaves(entry)


def public() -> dict[str, Any]:
    """Classes and functions that a floor exports, by dotted name."""
    found = {}
    for floor in crossmodal.FLOORS:
        module = import_module(f"crossmodal.{floor}")
        for name, item in vars(module).items():
            ours = isinstance(item, type | FunctionType) and item.__module__.startswith(module.__name__)
            if ours and not name.startswith("_"):
                found[f"{floor}.{name}"] = item
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented_and_annotated(name: str):
    item = PUBLIC[name]
    assert item.__doc__, f"{name} has no docstring"
    functions = {name: item} if isinstance(item, FunctionType) else methods(name, item)
    for path, function in functions.items():
        signature = inspect.signature(function)
        bare = [
            parameter.name
            for parameter in list(signature.parameters.values())
            if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
        ]
        assert not bare, f"{path} does not annotate {bare}"
        if not path.endswith("__init__"):
            assert signature.return_annotation is not signature.empty, f"{path} does not annotate what it returns"
            assert function.__doc__ or path.endswith("extra_repr"), f"{path} has no docstring"


def methods(name: str, block: type) -> dict[str, Any]:
    """What is called of a class: its constructor, and its public methods and properties."""
    own = {key: getattr(item, "fget", item) for key, item in vars(block).items()}
    wanted = {key: item for key, item in own.items() if key == "__init__" or not key.startswith("_")}
    return {
        f"{name}.{key}": item
        for key, item in wanted.items()
        if isinstance(item, FunctionType) and item.__name__ == key and item.__module__.startswith("crossmodal")
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_stand_on_a_page(name: str):
    """With signature and docstring: as the site writes `::: path.of.the.name`."""
    entries = {entry for page in DOCS.rglob("*.md") for entry in ENTRY.findall(page.read_text(encoding="utf-8"))}
    floor, _, last = name.rpartition(".")
    found = [entry for entry in entries if entry.startswith(f"crossmodal.{floor}.") and entry.endswith(f".{last}")]
    assert found, f"no page has an entry for crossmodal.{name}: write `::: crossmodal.{name}` on one"
