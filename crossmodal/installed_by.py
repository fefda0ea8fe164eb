"""Extras of the installed package: which of them brings a module that is missing, and the command that installs it."""

import re
from functools import cache

PACKAGE = "crossmodal-blocks"
USUAL = "recipes"
"""Extra that a module is taken to be of where several have it, and where no metadata are installed."""
DISTRIBUTIONS = {"sklearn": "scikit-learn", "lightning_fabric": "pytorch-lightning", "yaml": "jsonargparse"}
"""Module → distribution that brings it, where the names differ by more than a dash."""
REQUIREMENT = re.compile(r"([\w.-]+).*;.*extra\s*==\s*['\"]([\w-]+)['\"]")
DEVELOPMENT = "dev"
"""Extra of those who change this library: no user is sent there."""


@cache
def extras_by_package() -> dict[str, list[str]]:
    """Returns distribution → the extras of the installed package that bring it; empty where it has no metadata."""
    from importlib import metadata  # a module that `crossmodal --help` does without

    found: dict[str, list[str]] = {}
    try:
        required = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # a checkout on the path
        return found
    for name, extra in (match.groups() for match in map(REQUIREMENT.match, required) if match):
        if extra != DEVELOPMENT:
            found.setdefault(_plain(name), []).append(extra)
    return found


def installed_by(module: str) -> str:
    """Returns the command that installs what brings a module: an extra of this library, or that package itself.

    Args:
        module: The module that is missing, or one inside it.
    """
    package = module.partition(".")[0]
    distribution = _plain(DISTRIBUTIONS.get(package, package))
    found = extras_by_package().get(distribution, [] if extras_by_package() else [USUAL])
    if not found:
        return f"pip install {distribution}"
    return f'pip install "{PACKAGE}[{USUAL if USUAL in found else found[0]}]"'


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
