"""What an import costs: the core needs none of the optional packages, and the top level nothing at all."""

import subprocess
import sys

import pytest
from optional_packages import OPTIONAL

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
    say = "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    code = "\n".join(["import sys", *(f"{stage}\n{say}" for stage in STAGES.values())])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {stage: set(line.split()) for stage, line in zip(STAGES, ran.stdout.splitlines(), strict=True)}


def test_the_top_level_imports_nothing(imported):
    assert "crossmodal" in imported["top"]
    assert not imported["top"] & (OPTIONAL | {"torch", "jaxtyping", "beartype", "numpy"})


def test_the_floors_below_the_encoders_and_the_laws_need_no_optional_package(imported):
    assert "torch" in imported["low"]
    assert not imported["low"] & OPTIONAL
    assert not imported["laws"] & OPTIONAL


def test_all_floors_need_no_optional_package_but_what_torchvision_brings(imported):
    assert not (imported["all"] - imported["torchvision"]) & OPTIONAL


def test_every_name_of_the_top_level_can_be_had():
    import crossmodal

    assert set(crossmodal.__all__) == set(dir(crossmodal))
    for name in crossmodal.__all__:
        assert getattr(crossmodal, name) is not None
    with pytest.raises(AttributeError, match="'crossmodal' has no attribute 'guidence'; its floors are adapters, "):
        _ = crossmodal.guidence
