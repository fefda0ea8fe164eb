"""The order of the floors, and what no file of the package may hold: read off the source, file by file."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from optional_packages import OPTIONAL

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "crossmodal").rglob("*.py"))
RECIPES = sorted((ROOT / "recipes").rglob("*.py"))

FLOORS = {
    "shapes": 0,
    "site": 0,
    "cached_from_frozen": 0,
    "check_cache": 0,
    "io": 0,
    "lazy_constant": 0,
    "named_draws": 0,
    "plain": 0,
    "option_parser": 0,
    "installed_by": 0,
    "precision": 0,
    "printing": 0,
    "worker_pool": 0,
    "dask_workers": 0,
    "metrics": 0,
    "attention": 1,
    "guidance": 1,
    "alignment": 1,
    "audio": 1,
    "adapters": 2,
    "injection": 3,
    "encoders": 4,
    "heads": 4,
    "prompts": 4,
    "data": 4,
    "drawing": 4,
    "checkpoints": 4,
    "testing": 5,
    "ledger": 5,
    "tasks": 6,
    "training": 7,
    "evaluation": 8,
    "sharing": 8,
    "cli": 9,
    "__main__": 9,
    "recipes": 10,
}
IMPORTED_WHERE_NEEDED = OPTIONAL - {"torchvision"}
LAZY_FILES = {"crossmodal/metrics/metric.py"}
"""Files that are themselves imported where they are needed; `test_import.py` holds that they are."""
LONGEST_FILE, LONGEST_FORWARD, MEDIAN_FORWARD = 300, 25, 10


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def floor_of(module: str) -> int | None:
    """The floor of a dotted name; `None` for packages that are not ours, for the top level and its version."""
    parts = module.split(".")
    if parts[1:] == ["__version__"]:
        return None
    return FLOORS[parts[1]] if parts[0] == "crossmodal" and len(parts) > 1 else None


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("crossmodal", *parts) if parts[0] == "recipes" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, tree: ast.AST) -> Iterator[str]:
    """The absolute dotted names that a file imports, wherever in the file."""
    package = module_of(path).split(".") if path.name == "__init__.py" else module_of(path).split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", [*LIBRARY, *RECIPES], ids=named)
def test_a_file_imports_only_from_lower_floors_or_its_own(path: Path):
    own = floor_of(module_of(path))
    if own is None:  # the top level is lazy, and imports nothing
        assert not [name for name in imports(path, parsed(path)) if name.startswith("crossmodal")]
        return
    for name in imports(path, parsed(path)):
        floor = floor_of(name)
        assert floor is None or floor <= own, f"{named(path)} (floor {own}) imports {name} (floor {floor})"


def test_the_order_is_the_one_of_the_folders():
    folders = {path.stem if path.suffix else path.name for path in (ROOT / "crossmodal").iterdir()}
    assert {name for name in folders if not name.startswith(("__init", "__py", "py"))} == FLOORS.keys()


def test_imports_are_found_however_they_are_written():
    tree = ast.parse(
        "import a.b\nfrom ..site import Site\nfrom . import laws\ndef f():\n    from crossmodal.recipes.ave import x"
    )
    found = list(imports(ROOT / "crossmodal" / "guidance" / "channel.py", tree))
    assert found == ["a.b", "crossmodal.site.Site", "crossmodal.guidance.laws", "crossmodal.recipes.ave.x"]
    assert [floor_of(name) for name in found] == [None, 0, 1, 10]
    assert next(imports(ROOT / "crossmodal" / "guidance" / "__init__.py", ast.parse("from ..site import S"))) == (
        "crossmodal.site.S"
    )


BLOCKS = [path for path in LIBRARY if (floor_of(module_of(path)) or 0) <= 5]
"""Files that are imported without the extra `recipes`."""


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a file is imported: none inside functions, none under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not typing_only:
            yield node
            yield from at_import(node)


@pytest.mark.parametrize("path", BLOCKS, ids=named)
def test_optional_packages_are_imported_where_they_are_needed(path: Path):
    for node in at_import(parsed(path)) if named(path) not in LAZY_FILES else ():
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in imports(path, ast.Module([node], [])):
                assert name.partition(".")[0] not in IMPORTED_WHERE_NEEDED, (
                    f"{named(path)}:{node.lineno} imports {name}"
                )


def unsafe(call: ast.Call) -> str | None:
    """What is unsafe about a call, if anything is: it would run code that a file holds."""
    name = ast.unparse(call.func)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name == "torch.load" and options.get("weights_only") != "True":
        return "torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") and options.get("allow_pickle", "False") != "False":
        return "numpy.load with allow_pickle"
    if name in ("eval", "exec", "pickle.load", "pickle.loads", "pickle.Unpickler", "yaml.load", "torch.jit.load"):
        return name
    return None


RUNS = {
    "crossmodal/testing/laws/keeping.py": ["pickle.loads"],
    "crossmodal/checkpoints/unpickle.py": ["torch.load without weights_only=True"],
    "crossmodal/data/unpickle_avs.py": ["numpy.load with allow_pickle"],
}
"""The law of copies unpickles what it has itself pickled on the same line; the two commands that unpickle say so."""


@pytest.mark.parametrize("path", [*LIBRARY, *RECIPES], ids=named)
def test_nothing_is_asserted_and_nothing_is_loaded_that_could_run(path: Path):
    nodes = list(ast.walk(parsed(path)))
    asserts = [node.lineno for node in nodes if isinstance(node, ast.Assert)]
    assert not asserts, f"{named(path)} asserts on lines {asserts}: raise an error in words"
    found = [what for node in nodes if isinstance(node, ast.Call) if (what := unsafe(node))]
    assert found == RUNS.get(named(path), [])


def test_unsafe_loads_are_found():
    calls = ["torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)", "pickle.load(f)"]
    assert all(unsafe(ast.parse(call).body[0].value) for call in calls)
    assert not any(unsafe(ast.parse(call).body[0].value) for call in ("torch.load(f, weights_only=True)", "np.load(f)"))


@pytest.mark.parametrize("path", [*LIBRARY, *RECIPES], ids=named)
def test_files_are_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def forwards(path: Path) -> Iterator[tuple[str, int]]:
    """Every `forward` of a file: where it stands, and the lines of its body without the docstring."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            yield f"{named(path)}:{node.lineno}", lines


def test_forwards_are_short():
    found = dict(forward for path in [*LIBRARY, *RECIPES] for forward in forwards(path))
    assert {where: lines for where, lines in found.items() if lines > LONGEST_FORWARD} == {}
    assert median(found.values()) <= MEDIAN_FORWARD
