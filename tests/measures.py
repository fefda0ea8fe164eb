"""Measures of the house: what `python -m tests.measures` prints and `CONTRIBUTING.md` shows.

A recipe file exports a system or a coupling: `recipes/NAME.py` and `recipes/TASK/NAME.py` that define `NAME`. Files of
`recipes/world/` and `__init__.py` are none.
"""

import ast
import math
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

VERBS = """
    abbreviate accept add advance agree align allow append apply approximate arrange ask assemble assign attach
    attend average backpropagate balance begin bind blend book bound bring build bundle cache call cancel carry cast
    centre change charge check choose claim clear clip close coarsen collect combine come command compare compile
    complete compute concatenate configure connect consume contain continue convert copy correct count couple cover
    create crop cut decide declare decode decompose decorate define delete deliver derive descend describe detach
    detect determine differentiate discard distribute divide do download draw drop embed empty encode end enter
    enumerate escape estimate evaluate execute expand expect explain export express extract fail feed fetch fill
    filter find finish fit flatten flip fold follow forget fork form format forward free freeze fuse gate gather
    generate get give go greet group guard guide halve handle hash have hide hold hook import increase index infer
    initialise initialize insert inspect install interpolate interrupt intersect invert join judge keep kill label
    launch lay lead learn leave let limit link list load localise locate lock log look lose make map mark mask match
    maximise mean measure merge mix modulate move multiply name narrow need normalise note notice number occupy
    offer omit open order overwrite pack pad paint pair parse pass patch pause pick place plan play plot point pool
    predict prefix prepare present print probe process produce profile project protect provide prune put quantise
    quote raise randomise rank read rebuild recall receive recognise recompute record recover reduce refer refuse
    register reject release remove rename render repeat replace replay report represent require resample reset
    reshape resize resolve restore restrict resume return reuse reverse rewrite roll rotate round run sample save
    say scale scan scatter schedule score search see select send separate sequence serve set shape share shift
    shorten show shrink shuffle shut sign silence simulate skip slice snap solve sort sound spawn split spread
    squeeze stack stand start state step stop store stream strip subsample subtract sum supply support suppress swap
    switch synchronise take tell test tie time tokenise trace track train transform translate transpose traverse
    treat trim truncate try turn type undo unfold unfreeze unite unpack unregister untie unwrap update upsample use
    validate verify view visit wait wake walk warm warn weigh weight widen work wrap write yield zero
"""
"""Verbs that a docstring may open with, in the third person or as an imperative; every other word counts as a noun."""

NOT_AFTER_A_VERB = {"of", "and", "in", "at"}
"""`Counts of frames`, `Shapes and widths`: what stands before these words is a noun."""


CONVENTIONAL = {"logger", "main", "options", "parser"}
"""Names that files have by convention: of a module's logger, of a command, of its options and their parser."""


class Measures(NamedTuple):
    """What is measured; thresholds stand in `tests/test_measures.py`."""

    recipe_share: float
    recipes_excluded: dict[str, int]
    names_in_two_files: dict[str, list[str]]
    noun_share: float
    nouns: list[str]
    docstrings: int
    file_lines: tuple[float, int, int]
    forward_lines: tuple[float, int]
    comment_share: float


def main() -> None:
    """Prints the measures."""
    found = measures()
    print(f"share of recipes/ that is recipes      {100 * found.recipe_share:.1f} %")
    for path, lines in found.recipes_excluded.items():
        print(f"    not a recipe: {path} ({lines} lines)")
    print(f"public names defined in two files      {len(found.names_in_two_files)}")
    print("    not counted: constants; NAME of a recipe or verb (recipes/**/NAME.py, crossmodal/cli/NAME.py);")
    print(f"    {', '.join(sorted(CONVENTIONAL))}, which commands have by convention")
    for name, files in found.names_in_two_files.items():
        print(f"    {name}: {', '.join(files)}")
    print(f"docstrings that open with a noun       {100 * found.noun_share:.1f} % of {found.docstrings}")
    print("    functions and methods; not counted: properties, and laws, whose docstring is the law")
    for where in found.nouns:
        print(f"    {where}")
    middle, ninth, most = found.file_lines
    print(f"lines of a file                        median {middle:.0f}, 90 % {ninth}, most {most}")
    middle, most = found.forward_lines
    print(f"lines of a forward                     median {middle:.0f}, most {most}")
    print(f"share of lines with a comment          {100 * found.comment_share:.1f} %")


def measures() -> Measures:
    """Measures `crossmodal/` and `recipes/` as they lie beside this file."""
    files = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    recipes = {path: len(lines_of(path)) for path in files if named(path).startswith("recipes/")}
    others = {named(path): lines for path, lines in recipes.items() if not is_recipe(path, files[path])}
    docstrings = [entry for path, tree in files.items() for entry in docstrings_of(named(path), tree)]
    nouns = [f"{where}: {text.splitlines()[0]}" for where, text in docstrings if opens_with_noun(text)]
    lengths = sorted(len(lines_of(path)) for path in files if path.name != "__init__.py")
    forwards = [lines for tree in files.values() for lines in forwards_of(tree)]
    written = sum(1 for path in files for line in lines_of(path) if line.strip())
    return Measures(
        recipe_share=1 - sum(others.values()) / sum(recipes.values()),
        recipes_excluded=others,
        names_in_two_files=names_in_two_files(files),
        noun_share=len(nouns) / len(docstrings),
        nouns=nouns,
        docstrings=len(docstrings),
        file_lines=(median(lengths), lengths[math.ceil(0.9 * len(lengths)) - 1], lengths[-1]),
        forward_lines=(median(forwards), max(forwards)),
        comment_share=sum(map(comments_of, files)) / written,
    )


def sources() -> Iterator[Path]:
    """Yields the Python files of the library and of the recipes, each once."""
    for folder in ("crossmodal", "recipes"):
        yield from sorted(
            path for path in (ROOT / folder).rglob("*.py") if "recipes" not in path.relative_to(ROOT).parts[1:]
        )


def lines_of(path: Path) -> list[str]:
    """Reads the lines of a file."""
    return path.read_text(encoding="utf-8").splitlines()


def named(path: Path) -> str:
    """Writes a path from the root."""
    return path.relative_to(ROOT).as_posix()


def is_recipe(path: Path, tree: ast.Module) -> bool:
    """Returns whether a file of `recipes/` exports a system or a coupling: a function or a partial of its own name."""
    *folders, _ = path.relative_to(ROOT / "recipes").parts
    return len(folders) <= 1 and folders != ["world"] and path.stem in public_names(tree)


def names_in_two_files(files: dict[Path, ast.Module]) -> dict[str, list[str]]:
    """Finds public functions, classes and aliases of types that stand at the top level of several files."""
    where = defaultdict(list)
    for path, tree in files.items():
        own = path.stem if named(path).startswith(("recipes/", "crossmodal/cli/")) else None
        for name in sorted(public_names(tree) - {own, *CONVENTIONAL}):
            where[name].append(named(path))
    return {name: paths for name, paths in sorted(where.items()) if len(paths) > 1}


def public_names(tree: ast.Module) -> set[str]:
    """Returns the public names that a file defines; constants, in capitals, and type variables are left out."""
    names = {node.name for node in tree.body if isinstance(node, FUNCTIONS | ast.ClassDef)}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {target.id for target in targets if isinstance(target, ast.Name) and not target.id.isupper()}
    return {name for name in names if not name.startswith("_")}


def docstrings_of(path: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yields where the docstrings of functions and methods stand, and what they say."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and (text := ast.get_docstring(node)):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(
                re.match(r"property$|cached_property$|functools\.cached_property$|law\(", d) for d in decorators
            ):
                yield f"{path}:{node.lineno}", text


def opens_with_noun(text: str) -> bool:
    """Returns whether a docstring opens with something else than a verb."""
    first, second, *_ = [*re.findall(r"[\w'’-]+|[^\w\s]", text), "", ""]
    word = first.lower()
    stems = {word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word)}
    return not stems & set(VERBS.split()) or second in NOT_AFTER_A_VERB


def forwards_of(tree: ast.Module) -> Iterator[int]:
    """Yields the lines of every `forward`, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield (body[-1].end_lineno or 0) - body[0].lineno + 1


def comments_of(path: Path) -> int:
    """Counts the lines of a file that hold a comment."""
    with path.open("rb") as opened:
        return sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(opened.readline))


if __name__ == "__main__":
    main()
