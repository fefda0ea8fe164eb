"""`report.html`: a run in one page, to be opened, looked at and passed on."""

import csv
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from crossmodal.cli.main import COMMANDS
from crossmodal.evaluation.report.figures import confusion, curves
from crossmodal.evaluation.report.looking import look, unguided
from crossmodal.evaluation.report.page import element, facts, folded, page, scrolling, strip
from crossmodal.io import write_whole
from crossmodal.tasks.coupled_system import AudioVisual
from crossmodal.tasks.task import Task
from crossmodal.training.data_module import Clips
from crossmodal.training.predictions import PREDICTIONS
from crossmodal.training.run_folder import CONFIG, SUMMARY

REPORT = "report.html"
SHOWN = 5


def write_report(run: Path, model: AudioVisual, clips: Clips, task: Task) -> None:
    """Writes the page of a finished run.

    - `run`: its folder: configuration, metrics, summary and predictions are read from there.
    - `model`: the trained model. `clips`: the test split. `task`: what it was trained for.
    """
    config = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
    rows = table(run / PREDICTIONS)
    parts = [*head(run, config, summary, task), element("h2", "Training")]
    parts += [curves(table(run / "metrics.csv"), summary.get("majority_accuracy"))]
    parts += [element("h2", "Which class is taken for which"), confusion(rows, task.unit)]
    parts += shown(model.eval(), clips, rows)
    parts += [folded("Every option", element("pre", yaml.safe_dump(config, sort_keys=False)))]
    write_whole(run / REPORT, page(f"{run.name}: {config['recipe']}", *parts))


def head(run: Path, config: dict[str, Any], summary: dict[str, Any], task: Task) -> list[str]:
    """What was run, what came out, and how to go on."""
    data = config["data"]
    accuracy, majority = summary["test_accuracy"], summary["majority_accuracy"]
    points = 100 * (accuracy - majority)
    beside = f"{abs(points):.1f} points {'above' if points >= 0 else 'below'} what the most frequent label gets."
    figures = [(accuracy, f"of test {task.unit} right"), (majority, "the majority class alone")]
    told = "The weights were selected on the test split: this is the best of all epochs on these very clips."
    chosen_on_test = told if data.get("validation") == "test" else ""
    more = [f"crossmodal {name}" for name in (f"{task.name} look", f"{task.name} figure") if name in COMMANDS]
    where, place = shlex.quote(str(run)), f"--runs {shlex.quote(str(run.parent))} --name {shlex.quote(run.name)}"
    return [
        element("h1", f"{task.title}:", run.name),
        facts(
            {
                "recipe": f"{config['recipe']}, {config['size']}",
                "data": source(data, summary),
                "seed": config["seed"],
                "trained": f"{summary['trainable_parameters']:,} of {summary['total_parameters']:,} parameters, "
                f"{summary['seconds']:.0f} s",
                "versions": ", ".join(f"{name} {version}" for name, version in summary["versions"].items()),
            }
        ),
        '<div class="figures">'
        + "".join(f"<div><b>{100 * share:.1f} %</b>{element('small', words)}</div>" for share, words in figures)
        + "</div>",
        element("p", beside, chosen_on_test),
        element(
            "pre",
            f"crossmodal {task.name} test --run {where}\ncrossmodal {task.name} fit {place} --resume true"
            + "".join(f"\n{command} {where}" for command in more),
        ),
    ]


def source(data: dict[str, Any], summary: dict[str, Any]) -> str:
    """What it was trained on."""
    if data.get("folder"):
        counts = ", ".join(f"{count} {name}" for name, count in summary.get("clips", {}).items())
        return f"videos of {data['folder']}, labelled by {data['labels']} ({counts})"
    if data["root"]:
        return f"data set {data['root']}"
    return f"the built-in world (seed {data['seed']}, {data['clips']} training clips): procedural clips, no real data"


def shown(model: AudioVisual, clips: Clips, rows: Sequence[dict[str, str]]) -> list[str]:
    """Some clips of the test split: the most wrong, those in the middle, the best."""
    labels = {name: index for index, name in enumerate((*model.classes, "background"))}
    by_clip: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_clip.setdefault(row["clip"], []).append(row)
    right = {name: sum(row["truth"] == row["prediction"] for row in of) for name, of in by_clip.items()}
    places = {name: at for at, name in enumerate(clips.names)}
    picked = chosen(sorted(right, key=right.__getitem__), SHOWN)
    parts = [
        element("h2", "Test clips"),
        element("p", f"{len(picked)} of {len(right)} clips, evenly spaced from the most wrong to the most right (ties "
                "in the order of the split). Maps are those of the last coupler that has one over tokens; colours go "
                "from its least to its greatest value in the clip, which stand below it."),
    ]  # fmt: skip
    if alone := unguided(model):
        parts.append(element("p", f"No edge leads to {' and '.join(alone)}: nothing guides it, and no map is drawn."))
    for name in picked:
        of, clip = by_clip[name], clips[places[name]]
        truth, predicted = ([labels[row[column]] for row in of] for column in ("truth", "prediction"))
        said = strip(predicted, model.classes, scores=[float(row["score"]) for row in of], truth=truth)
        parts += [
            element("h3", f"{name}: {right[name]} of {len(of)} {'seconds ' * (len(of) > 1)}right"),
            scrolling(
                element("p", "truth", class_="row"), strip(truth, model.classes),
                element("p", "predicted, with the score; ✗ where wrong", class_="row"), said,
            ),
            look(model, clip, name=name),
        ]  # fmt: skip
    return parts


def chosen(ordered: Sequence[str], count: int) -> list[str]:
    """`count` of them, evenly spaced, the first and the last among them; all where there are no more."""
    count = min(count, len(ordered))
    return [ordered[round(place * (len(ordered) - 1) / max(1, count - 1))] for place in range(count)]


def table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def write_page(file: Path, write: Callable[[], None], *, needed: bool = False) -> bool:
    """Writes a page by `write`; where that fails it says so, all else that was done remains, and it returns `False`.

    `needed`: an error is the command's.
    """
    try:
        write()
    except Exception as error:  # whatever it is: a picture must not cost a run
        if needed:
            raise
        print(f"crossmodal: {file} was not written: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True
