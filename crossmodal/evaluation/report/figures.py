"""What a run has measured, as a page shows it: curves over training, and which class is taken for which."""

from collections import Counter
from collections.abc import Mapping, Sequence

from crossmodal.drawing.canvas import new_figure
from crossmodal.evaluation.report.page import element, inked, inline

COLOURS = ("#2e86ab", "#e4572e")
CURVES = {
    "loss": {"training": "train_loss", "validation": "val_loss"},
    "accuracy": {"validation": "val_accuracy"},
    "learning rate": {"learning rate": "lr"},
}
"""Title → name of a curve → its column in `metrics.csv`; what was not logged is not drawn."""


def curves(rows: Sequence[Mapping[str, str]], majority: float | None) -> str:
    """A picture for every kind of curve that was logged. `majority`: accuracy of the commonest label, a dashed line."""
    drawn = []
    with inked():
        for title, named in CURVES.items():
            points = {name: _points(rows, column) for name, column in named.items()}
            if any(points.values()):
                drawn.append(_curve(title, points, majority if title == "accuracy" else None))
    return f'<div class="curves">{"".join(drawn)}</div>'


def _points(rows: Sequence[Mapping[str, str]], column: str) -> list[tuple[int, float]]:
    columns = [name for row in rows[:1] for name in row if name == column or name.startswith(f"{column}-")]
    return [(int(row["step"]), float(row[columns[0]])) for row in rows if columns and row[columns[0]]]


def _curve(title: str, points: Mapping[str, Sequence[tuple[int, float]]], majority: float | None) -> str:
    figure = new_figure(3.8, 2.3)
    axes = figure.add_axes((0.15, 0.17, 0.82, 0.7))
    for colour, (name, known) in zip(COLOURS, points.items(), strict=False):
        marker = "o" if len(known) < 40 else ""
        axes.plot(*zip(*known, strict=True), color=colour, marker=marker, markersize=3, linewidth=1.3, label=name)
    if majority is not None:
        axes.axhline(majority, color="#888888", linestyle="--", linewidth=1, label="majority class")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.locator_params(axis="x", integer=True, nbins=6)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
    return inline(figure, title)


def confusion(rows: Sequence[Mapping[str, str]], unit: str = "segments") -> str:
    """A table of segments, or another `unit`: a row a true class, a column a predicted one; shaded by shares."""
    counts = Counter((row["truth"], row["prediction"]) for row in rows)
    names = sorted({name for pair in counts for name in pair}, key=lambda name: (name == "background", name))
    of_truth = Counter(row["truth"] for row in rows)
    heads = "".join(f"<th>{element('span', name)}</th>" for name in (*names, unit, "right"))
    lines = []
    for truth in names:
        total = of_truth[truth]
        shares = {name: counts[truth, name] / total if total else 0.0 for name in names}
        cells = [_cell(counts[truth, name], share) for name, share in shares.items()]
        right = f"{100 * shares[truth]:.0f} %" if total else "–"
        lines.append(f"<tr>{element('th', truth)}{''.join(cells)}{element('td', total)}{element('td', right)}</tr>")
    head = f"<thead><tr>{element('th', 'truth ↓, predicted →')}{heads}</tr></thead>"
    return f'<div class="scroll"><table>{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _cell(count: int, share: float) -> str:
    return element("td", count or "", style=f"--p:{80 * share:.0f}")
