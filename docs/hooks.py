"""What the site needs beyond Markdown: sessions without directives, formulas as MathML, nothing from other hosts."""

import os
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

SESSION = re.compile(r"^(```)python(\n>>> .*?\n)\n*(?=```)", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r" *# doctest: .*")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+")


PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def on_config(config: Any) -> Any:
    """Every page says the version at its foot, and links to the repository where one is known."""
    config.copyright = f"crossmodal {PROJECT['version']}"
    repository = os.environ.get("CROSSMODAL_REPOSITORY") or PROJECT.get("urls", {}).get("Repository")
    if repository:
        config.repo_url, config.repo_name = repository, "Repository"
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Doctests are shown as sessions, without what only doctest reads; the version stands for its placeholder."""
    shown = SESSION.sub(lambda found: f"{found[1]}pycon{DIRECTIVE.sub('', found[2])}", markdown)
    return shown.replace("%VERSION%", PROJECT["version"])


def on_page_content(html: str, **_: Any) -> str:
    """LaTeX becomes MathML, which browsers draw themselves."""
    return FORMULA.sub(lambda found: mathml(found[2], block=found[1] == "div"), html)


def mathml(latex: str, *, block: bool) -> str:
    """One formula."""
    return convert(unescape(latex).strip(), display="block" if block else "inline")


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuses a page that a browser would load something for from another host."""
    if found := FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {found[0]}")
    return output
