"""`report.html`: a run in one page, to be opened, looked at and passed on."""

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from torch import nn

from crossmodal.data.extras import need
from crossmodal.data.source import Items
from crossmodal.data.table_cell import plain_cell
from crossmodal.evaluation.items import predict_item
from crossmodal.io import write_whole
from crossmodal.tasks.coupled_system import CoupledSystem
from crossmodal.tasks.pictures import with_pictures
from crossmodal.tasks.task import Task, scores_are_shares
from crossmodal.training.evidence import STEPS, evidence
from crossmodal.training.going_on import next_commands
from crossmodal.training.predictions import ITEM, PREDICTIONS, VALUE, WEIGHT
from crossmodal.training.run_folder import CHANCE, CONFIG, TEST, read_summary

from .figures import confusion, curves
from .map_figures import ItemMaps, item_maps, maps_remark
from .page import Picture, as_picture, page_style, render

if TYPE_CHECKING:
    from pandas import DataFrame

REPORT, METRICS = "report.html", "metrics.csv"
SHOWN_ITEMS = 5
"""Test items that are drawn."""


class Score(NamedTuple):
    """One score of the test split, in words.

    Attributes:
        name: Its name.
        value: On the test split.
        chance: Of a model that looks at nothing; empty where that is not known.
        beside: Sentence that compares both.
    """

    name: str
    value: str
    chance: str
    beside: str


class DrawnItem(NamedTuple):
    """A test item as the template takes it.

    Attributes:
        heading: Its name, and how much of it is right.
        prediction: Picture of its prediction.
        maps: Pictures of its maps.
        remark: Sentence on why it is not drawn; empty where it is.
    """

    heading: str
    prediction: Picture | None
    maps: ItemMaps | None
    remark: str = ""


def write_report(run: Path, system: nn.Module, items: Items, task: Task) -> None:
    """Writes the page of a finished run.

    Args:
        run: Its folder, with configuration, metrics, summary and predictions.
        system: Trained system.
        items: Test split.
        task: What the system was trained for.
    """
    config = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    summary, rows = read_summary(run), read_predictions(run / PREDICTIONS)
    scores = list(read_scores(summary, task.monitor))
    page = render(
        "report.html",
        title=f"{run.name}: {config['system']}",
        heading=f"{task.title}: {run.name}",
        facts=facts(config, summary),
        scores=scores,
        unit=task.unit,
        remarks=[*remarks(summary), *(f"{said[0].upper()}{said[1:]}." for said in evidence(summary, task.monitor))],
        commands=list(next_commands(run, task, coupled=isinstance(system, CoupledSystem))),
        curves=read_curves(run / METRICS, task.monitor, summary.get(CHANCE, {}).get(task.monitor), summary[TEST]),
        confusion=confusion(rows, task.unit),
        items_remark=items_remark(system, rows),
        items=list(drawn_items(system.eval(), items, rows, task)),
        options=yaml.safe_dump(config, sort_keys=False),
    )
    write_whole(run / REPORT, page)


def facts(config: dict[str, Any], summary: dict[str, Any]) -> dict[str, str]:
    """Returns what was trained, on what and with what, by name."""
    named = ((name, value) for name, value in (config.get("model") or {}).items() if value and isinstance(value, str))
    chosen = ", ".join(f"{name} {value}" for name, value in named if "." not in value or name == "coupling")
    found = {
        "system": f"{config['system']} ({chosen})" if chosen else str(config["system"]),
        "data": str(summary.get("data", "")),
        "seed": str(config["seed"]),
        "trained": f"{summary['trainable_parameters']:,} of {summary['total_parameters']:,} parameters, "
        + (f"{summary[STEPS]:,} steps, " if STEPS in summary else "")
        + f"{summary['seconds']:.0f} s",
        "versions": ", ".join(f"{name} {version}" for name, version in summary["versions"].items()),
    }
    if clips := summary.get("clips"):
        found["items"] = ", ".join(f"{count} {name}" for name, count in clips.items())
    return {name: fact for name, fact in found.items() if fact}


def read_scores(summary: dict[str, Any], monitor: str) -> Iterator[Score]:
    """Yields the scores of a summary, the monitored one first."""
    known, by_chance = summary[TEST], summary.get(CHANCE, {})
    for name in sorted(known, key=lambda name: name != monitor):
        chance = by_chance.get(name)
        points = 0.0 if chance is None else 100 * (known[name] - chance)
        beside = f"{abs(points):.1f} points {'above' if points >= 0 else 'below'} chance."
        compared = ("", "") if chance is None else (f"{100 * chance:.1f} %", beside)
        yield Score(name, f"{100 * known[name]:.1f} %", *compared)


def remarks(summary: dict[str, Any]) -> Iterator[str]:
    """Yields sentences on how the figures came about."""
    if summary.get("selected_on") == "test":
        yield "The weights were selected on the test split: this is the best of all epochs on these very items."
    yield from summary.get("deviations", ())


def read_predictions(file: Path) -> "DataFrame":
    """Returns the table of `predictions.csv`; what is written stays text, value and weight are numbers."""
    pandas = need("pandas", "report.html")
    rows: DataFrame = pandas.read_csv(file, dtype=str, keep_default_na=False)
    rows = rows.map(plain_cell)
    return rows.astype({VALUE: float, WEIGHT: float})


def read_curves(file: Path, monitor: str, chance: float | None, scores: Collection[str]) -> list[Picture]:
    """Returns the curves of `metrics.csv`; none where nothing was logged."""
    if not file.is_file() or not file.stat().st_size:
        return []
    return curves(need("pandas", "report.html").read_csv(file), monitor, chance, scores)


def items_remark(system: nn.Module, rows: "DataFrame") -> str:
    """Returns a sentence on which items are drawn, and what over them."""
    count = rows[ITEM].nunique()
    return (
        f"{min(SHOWN_ITEMS, count)} of {count}, evenly spaced from the most wrong to the most right (ties in the order "
        f"of the split). {maps_remark(system)}"
    )


def drawn_items(system: nn.Module, items: Items, rows: "DataFrame", task: Task) -> Iterator[DrawnItem]:
    """Yields some items of the test split: the most wrong, those in the middle, the best."""
    by_item = rows.groupby(ITEM, sort=False)[[VALUE, WEIGHT]].sum()
    share = (by_item[VALUE] / by_item[WEIGHT]).fillna(0.0).sort_values(kind="stable")  # ties as they stand in the split
    places = {name: at for at, name in enumerate(items.names)}
    for name in evenly_spaced(list(share.index), SHOWN_ITEMS):
        counted = float(by_item.at[name, WEIGHT])
        heading = f"{name}: {share_in_words(share[name], counted, task)}"
        item = items[places[name]]
        try:
            yield draw_item(system, item, task, name, heading)
        except ValueError as error:  # one item alone may be too few: a placebo reads that of another one
            yield DrawnItem(heading, None, None, f"Not drawn: {error}")


def draw_item(system: nn.Module, item: Any, task: Task, name: str, heading: str) -> DrawnItem:
    """Draws the prediction and the maps of one item."""
    prediction = predict_item(system, item)
    with page_style():
        drawn = as_picture(
            task.draw(prediction, with_pictures(item, system), getattr(system, "classes", ())), f"{name} prediction"
        )
    return DrawnItem(heading, drawn, item_maps(system, item, name=name))


def share_in_words(share: float, weight: float, task: Task) -> str:
    """Returns how much of an item is right, or its score where a task has other scores than shares of right answers.

    Args:
        share: In [0, 1].
        weight: Observations that the item counts for.
        task: Names the score and what is counted.
    """
    if not scores_are_shares(task):
        return f"{task.monitor} {100 * share:.0f} %"
    if weight == 1:  # one observation is no number of units
        return {0.0: "wrong", 1.0: "right"}.get(share, f"{task.monitor} {100 * share:.0f} %")
    return f"{100 * share:.0f} % of its {task.unit}"


def evenly_spaced(ordered: Sequence[str], count: int) -> list[str]:
    """Returns `count` of them, the first and the last among them; all where there are no more."""
    count = min(count, len(ordered))
    return [ordered[round(place * (len(ordered) - 1) / max(1, count - 1))] for place in range(count)]


def write_page(file: Path, write: Callable[[], None], *, needed: bool = False) -> bool:
    """Writes a page and returns whether it was written; a page that fails costs nothing else that was done.

    Args:
        file: Page, for the message on the error stream.
        write: Writes it.
        needed: Whether an error is the command's, and is raised.
    """
    try:
        write()
    except Exception as error:  # whatever it is: a picture must not cost a run
        if needed:
            raise
        print(f"crossmodal: {file} was not written: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True
