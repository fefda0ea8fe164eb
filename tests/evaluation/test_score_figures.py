"""Figures of compared systems: every line can be told from every other."""

from crossmodal.evaluation.score_figures import INKS, LINES, CurvePoint, curve_figure


def test_more_systems_than_inks_are_drawn_apart():
    names = [f"system {number}" for number in range(len(INKS) * len(LINES))]
    points = [CurvePoint("", name, value, 0.5, 0.4, 0.6, 2) for name in names for value in ("1", "16")]
    lines = curve_figure(points, "data.shots", "accuracy").axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == len(names)
