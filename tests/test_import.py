"""What an import costs: the core needs none of the optional packages, and the top level nothing at all."""

import pydoc
import subprocess
import sys

import pytest
from optional_packages import OPTIONAL

import crossmodal

STAGES = {
    "top": "import crossmodal",
    "low": "from crossmodal import shapes, site, metrics, attention, guidance, alignment, audio, adapters, injection",
    "laws": "from crossmodal import heads, testing",
    "torchvision": "import torchvision",
    "all": "for floor in crossmodal.FLOORS: getattr(crossmodal, floor)",
}


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The packages that a fresh interpreter has after each stage."""
    say = "print(*sorted({name.partition('.')[0] for name in sys.modules} | {'torch._dynamo'} & {*sys.modules}))"
    code = "\n".join(["import sys", *(f"{stage}\n{say}" for stage in STAGES.values())])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {stage: set(line.split()) for stage, line in zip(STAGES, ran.stdout.splitlines(), strict=True)}


def test_the_top_level_imports_nothing(imported):
    assert "crossmodal" in imported["top"]
    assert not imported["top"] & (OPTIONAL | {"torch", "jaxtyping", "beartype", "numpy"})


def test_the_floors_below_the_encoders_and_the_laws_need_no_optional_package(imported):
    assert "torch" in imported["low"]
    assert not imported["low"] & OPTIONAL
    assert not imported["low"] & {"torch._dynamo", "sympy"}  # the compiler doubles the time of the import
    assert not imported["laws"] & OPTIONAL


def test_all_floors_need_no_optional_package_but_what_torchvision_brings(imported):
    assert not (imported["all"] - imported["torchvision"]) & OPTIONAL


def test_an_import_of_the_top_level_reads_few_files():
    """`python -c "import crossmodal"` takes no longer than Python itself: far within 1.3 times `import torch`."""
    code = "import sys; before = len(sys.modules); import crossmodal; print(len(sys.modules) - before)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 60  # importlib itself is half of them; torch is 1500


HEAVY = OPTIONAL | {"torch", "jaxtyping", "beartype", "numpy", "yaml"}


@pytest.mark.parametrize("words", [["--help"], ["ave", "fitt"], ["copy", "--help"]])
def test_the_help_of_the_command_imports_nothing_heavy(words):
    """Names of tasks, systems and verbs are read off the folders."""
    code = (
        "import contextlib, io, sys; from crossmodal.cli.main import main\n"
        f"with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()): main({words})\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, imported = ran.stdout.splitlines()
    assert "crossmodal" in imported.split()
    assert not set(imported.split()) & HEAVY


def test_every_name_of_the_top_level_can_be_had():
    assert set(crossmodal.__all__) == set(dir(crossmodal))
    for name in crossmodal.__all__:
        assert getattr(crossmodal, name) is not None
    with pytest.raises(AttributeError, match="'crossmodal' has no attribute 'guidence'; its floors are adapters, "):
        _ = crossmodal.guidence


def test_what_one_needs_first_is_shown_first():
    """A tab shows names in alphabetical order, capitals first: these are blocks, not machinery."""
    shown = dir(crossmodal)
    assert shown[:2] == ["Adapted", "ChannelGuidance"]
    assert not {"import_module", "Any", "FLOORS"} & set(shown)
    assert crossmodal.__all__[0] == "ChannelGuidance"


def test_help_names_all_that_there_is():
    said = pydoc.plain(pydoc.render_doc(crossmodal))
    first = said[: said.index("PACKAGE CONTENTS")]
    missing = [name for name in crossmodal.__all__ if name not in first and name != "__version__"]
    assert missing == []
    assert "What one needs first" in first
