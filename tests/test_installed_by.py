"""What installs a missing module: the extra that brings it, by the metadata of the installed package."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from crossmodal.installed_by import extras_by_package, installed_by

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.fixture
def installed(monkeypatch):
    """The metadata of this very version, as pip writes them."""
    lines = [f"{each.partition(';')[0]}; extra == '{extra}'" for extra, needs in EXTRAS.items() for each in needs]
    extras_by_package.cache_clear()
    monkeypatch.setattr(metadata, "requires", lambda name: [*PROJECT["dependencies"], *lines])
    yield
    extras_by_package.cache_clear()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("pytorch_lightning.callbacks", "recipes"),
        ("sklearn.manifold", "recipes"),
        ("jsonargparse", "recipes"),
        ("huggingface_hub", "hub"),
        ("tokenizers", "text"),
        ("onnxruntime", "export"),
        ("hypothesis", "testing"),
        ("xformers.ops", "xformers"),
    ],
)
def test_a_module_is_brought_by_its_extra(installed, module, extra):
    assert installed_by(module) == f'pip install "crossmodal-blocks[{extra}]"'


def test_a_module_of_no_extra_is_installed_by_itself(installed):
    assert installed_by("timm.models") == "pip install timm"
    assert installed_by("some_thing") == "pip install some-thing"


def test_a_checkout_without_metadata_has_the_usual_extra(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    extras_by_package.cache_clear()
    monkeypatch.setattr(metadata, "requires", absent)
    assert installed_by("torchmetrics") == 'pip install "crossmodal-blocks[recipes]"'
    extras_by_package.cache_clear()
