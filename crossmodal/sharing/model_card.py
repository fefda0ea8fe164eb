"""Model cards: what a system is, how it was trained, what it scored beside chance, and what it cost."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

from crossmodal import __version__
from crossmodal.data.table_cell import in_markdown
from crossmodal.tasks.resolve import find_task
from crossmodal.tasks.task import SystemModule, percent_of
from crossmodal.training.run_folder import CHANCE, REMARKS, TEST

from .system_options import SystemOptions

CARD = "README.md"
NO_REAL_DATA = "no real data"
"""Words by which a data source says, in `describe()`, that its clips are procedural."""

TAGS = ("audio-visual", "cross-modal", "parameter-efficient-fine-tuning")
SHOWN_CLASSES = 30
NO_FILES: Mapping[str, str] = MappingProxyType({})


def model_card(
    options: SystemOptions, system: SystemModule, summary: Mapping[str, Any], files: Mapping[str, str] = NO_FILES
) -> str:
    """Returns the card in Markdown, with the metadata that the Hugging Face hub reads on top.

    Args:
        options: What the system was built from.
        system: The system.
        summary: Facts of its training, as a run's `summary.json` holds them; may be empty.
        files: Keyword → name of the files that the folder does not hold.
    """
    task = find_task(options.task)
    metadata = ["---", "library_name: crossmodal", "tags:", *(f"- {tag}" for tag in (*TAGS, task.name)), "---"]
    built_from = json.dumps({**options._asdict(), "arguments": dict(options.arguments)}, indent=1, default=str)
    lines = [
        f"# {options.system}: {task.title}",
        f"Trained by [crossmodal](https://pypi.org/project/crossmodal-blocks/) {__version__}, task `{task.name}`. The "
        "folder holds what was trained; the frozen encoders are built by name, and refused where their weights are "
        "others.",
        _honest(summary),
        "## Use",
        f"```python\nimport crossmodal\n\nsystem = crossmodal.load({_load_arguments(files)})\n```",
        "## Scores",
        "\n".join(_scores(percent_of(task), summary)),
        "## Cost",
        "\n".join(_cost(system, summary)),
        "## Built from",
        f"```json\n{built_from}\n```",
        f"Labels ({len(system.classes)}): {_labels(system)}",
        f"Clips: `{system.inputs.preprocess!r}`",
        *(f"- {remark}" for remark in summary.get(REMARKS, ())),
    ]
    return "\n".join(metadata) + "\n\n" + "\n\n".join(lines) + "\n"


def _load_arguments(files: Mapping[str, str]) -> str:
    """Returns what stands in the brackets of `crossmodal.load`."""
    given = ", ".join(f"{json.dumps(name)}: {json.dumps(f'PATH OF YOUR {file}')}" for name, file in files.items())
    return '"THIS FOLDER, OR user/name"' + (f", files={{{given}}}" if files else "")


def _honest(summary: Mapping[str, Any]) -> str:
    """Returns what a reader must know before using the system."""
    data = in_markdown(str(summary.get("data", "")))
    if not data:
        return "**How it was trained is not known**: the folder was saved without a summary of its training."
    if NO_REAL_DATA in data:
        return (
            f"**Nothing here was trained on real data**: data was {data}. On real videos it shows that the pipeline "
            "runs, no more."
        )
    return f"Data: {data}."


def _scores(unit: str, summary: Mapping[str, Any]) -> Iterator[str]:
    """Yields a table of scores beside chance."""
    scores, chance = summary.get(TEST) or {}, summary.get(CHANCE) or {}
    if not scores:
        yield "It was not tested."
        return
    selected = summary.get("selected_on", "nothing: these are the last weights")
    yield f"One run, seed {summary.get('seed', 'unknown')}; weights selected on {selected}; in {unit}.\n"
    yield "| score | test split | chance |\n|---|---|---|"
    for name, value in scores.items():
        guessed = f"{100 * chance[name]:.1f}" if name in chance else "–"
        yield f"| {name} | {100 * value:.1f} | {guessed} |"


def _cost(system: nn.Module, summary: Mapping[str, Any]) -> Iterator[str]:
    """Yields parameters, time and versions."""
    parameters = list(system.parameters())
    trained = sum(each.numel() for each in parameters if each.requires_grad)
    yield f"- {trained:,} trained parameters of {sum(each.numel() for each in parameters):,}"
    if "seconds" in summary:
        yield f"- {summary['seconds']:.0f} seconds of training"
    if "versions" in summary:
        yield "- " + ", ".join(f"{package} {version}" for package, version in summary["versions"].items())


def _labels(system: SystemModule) -> str:
    """Returns the labels, those beyond `SHOWN_CLASSES` as dots."""
    more = ", …" if len(system.classes) > SHOWN_CLASSES else ""
    return in_markdown(", ".join(system.classes[:SHOWN_CLASSES])) + more
