"""Ablations: from variants to runs, and from what runs leave behind to one table."""

import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from functools import cache, partial
from statistics import fmean

import pytest
from commands import MINE, crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.adapters import Bottleneck, FrozenMap, shuffled
from crossmodal.evaluation.ablation import ablation, gathered, variant_words
from crossmodal.evaluation.result_table import SIGNS, OtherScore, ResultRow, ResultTable
from crossmodal.evaluation.study import Study
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.ave.dg_sct_released import dg_sct_released
from crossmodal.tasks.ave import TASK

RIGHT = {"full": 7, "without spatial": 5, "100 % “α” → β_1 & more|less": 2}
"""Of ten seconds a clip, give or take one."""
VARIANTS = {name: (("--model.alpha", f"0.{at}1") if at else ()) for at, name in enumerate(RIGHT)}
SEEDS = (0, 1, 2)


class Swept(Exception):
    """Where training would begin."""


def leave(folder, study, name, seed, *, clips=6, right=None, world=None):
    """Leaves what a finished run leaves."""
    run = folder / study.run(name, seed).name
    run.mkdir(parents=True)
    score = fmean(good_seconds(name, seed, clip, right) for clip in range(clips)) / 10
    facts = {"test": {"accuracy": score}, "chance": {"accuracy": 0.6}}
    said = ["visual pooled by mean" if name == "without spatial" else "visual pooled by map 'spatial'", "audio"]
    (run / "summary.json").write_text(json.dumps({**facts, "trainable_parameters": 1234567, "remarks": said}))
    with (run / "predictions.csv").open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(["clip", "segment", "truth", "prediction", "score", "value", "weight"])
        for clip in range(clips):
            good = good_seconds(name, seed, clip, right)
            for at in range(10):
                truth = "red" if at < 4 else "background"
                said = truth if at < good else "blue"
                item, right_one = f"world-{seed if world is None else world}-test-{clip}", float(truth == said)
                rows.writerow([item, at, truth, said, "0.5", right_one, 1.0])


def good_seconds(name, seed, clip, right=None):
    """Right seconds of one clip of ten."""
    return (RIGHT[name] if right is None else right) + (clip + seed + len(name)) % 3 - 1


@cache
def study_of(seeds=SEEDS):
    return Study(TASK, (), VARIANTS, seeds)


def table_of(folder, seeds=SEEDS, done=SEEDS, **run):
    study = study_of(seeds)
    for name in study.variants:
        for seed in done:
            leave(folder, study, name, seed, **run)
    return gathered(study, folder, dict.fromkeys(VARIANTS, 16_266_732_544))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return table_of(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({}, []),
        ({"without": "channel"}, ["--model.channel", "null"]),
        ({"without": ("channel", "spatial")}, ["--model.channel", "null", "--model.spatial", "null"]),
        ({"edges": [("audio", "visual")]}, ["--model.edges", '[["audio", "visual"]]']),
        ({"guide": shuffled}, ["--model.guide", "crossmodal.adapters.controls.shuffled"]),
        ({"alpha": 0.5, "without": ("beta",)}, ["--model.beta", "null", "--model.alpha", "0.5"]),
        (
            {"spatial": partial(FrozenMap, value=0.25)},
            ["--model.spatial", "crossmodal.adapters.controls.FrozenMap", "--model.spatial.value", "0.25"],
        ),
    ],
)
def test_keywords_of_the_recipe_become_options(keywords, words):
    assert variant_words((), TASK, "x", keywords) == tuple(words)


@pytest.mark.parametrize(
    ("system", "keywords", "message"),
    [
        (
            "dg_sct",
            {"spatail": None},
            "variant 'x': the system dg_sct has no keyword 'spatail'; did you mean 'spatial'",
        ),
        (
            "lavish",
            {"without": "channel"},
            "the system lavish has no keyword 'channel'; it has visual, audio, pool, width",
        ),
        ("dg_sct", {"classes": 1}, "the system dg_sct has no keyword 'classes'"),
        ("dg_sct", {"spatial": lambda channels, cue: None}, "variant 'x': --model.spatial: .*lambda.* has no name"),
    ],
)
def test_what_is_no_variant_is_refused(system, keywords, message):
    with pytest.raises(ValueError, match=message):
        variant_words(("--system", system), TASK, "x", keywords)


def test_python_and_the_command_mean_the_same_runs(tmp_path, monkeypatch):
    def sweep(runs, folder, *, workers, cluster):
        raise Swept([run.name for run in runs])

    monkeypatch.setattr(Study, "operations", lambda study, name: 0)
    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", sweep)
    (tmp_path / "mylab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    from mylab import TopK

    variants = {
        "full": {},
        "without spatial": {"without": ("spatial",)},
        "only audio → visual": {"edges": [("audio", "visual")]},
        "guide: shuffled": {"guide": "crossmodal.adapters.shuffled"},
        "channel at 0.5": {"channel": "crossmodal.adapters.FrozenMap"},
        "spatial=mylab.TopK spatial.k=2": {"spatial": partial(TopK, k=2)},
    }
    with pytest.raises(Swept) as swept:
        ablation(dg_sct_released, task="ave", seeds=(0,), variants=variants)
    words = ["--without", "spatial", "--edges", "audio:visual", "--guide", "shuffled", "--freeze-map", "channel"]
    words += ["--set", "spatial=mylab.TopK spatial.k=2", "--seeds", "0", "--print-commands", "--", "--system"]
    said = crossmodal(tmp_path, "ave", "ablate", *words, "dg_sct_released")
    assert said.code == 0, said.err
    assert swept.value.args[0] == re.findall(r"--name (\S+)", said.out)


def test_nothing_is_trained_where_a_model_cannot_be_built(monkeypatch):
    monkeypatch.setattr("crossmodal.evaluation.ablation.sweep", lambda *_, **__: pytest.fail("trained"))
    variants = {"odd": {"bottleneck": partial(Bottleneck, reduction=7)}, "full": {}}
    with pytest.raises(ValueError, match="Bottleneck: reduction=7 must divide"):
        ablation(dg_sct, task="ave", variants=variants)


def test_the_table_holds_what_the_runs_found(table):
    full, without, odd = (table[name] for name in RIGHT)
    assert full.difference is None
    assert full.scores == pytest.approx([0.7] * 3)  # six clips: every offset twice
    assert without.difference.value == pytest.approx(-0.2)
    assert without.gaps == pytest.approx([-0.2] * 3)
    assert without.difference.low < -0.2 < without.difference.high < 0
    assert odd.difference.value == pytest.approx(-0.5)
    assert (odd.trained, odd.operations, odd.deviation) == (1234567, 16_266_732_544, pytest.approx(0))
    assert (table.chance, table.items) == (pytest.approx(0.6), 8)


def test_a_variant_that_changes_more_than_its_part_is_told(table):
    """Without a spatial map the head pools by the mean: the row is not about the adapters alone."""
    assert table.remarks == ("“without spatial” also differs by: visual pooled by mean.",)


def test_print_shows_it(table):
    lines = str(table).splitlines()
    assert lines[0].endswith(" FLOP a step")
    found = re.match(r"without spatial +50\.0 ± 0\.0 +-20\.0 \[-(.+), -(.+)\] +1,234,567 +16\.27 G$", lines[2])
    assert float(found[1]) > 20 > float(found[2])
    assert lines[1].split()[:5] == ["full", "70.0", "±", "0.0", "–"]
    assert "a model that looks at nothing would get 60.0 %" in str(table)
    assert "Not finished" not in str(table)
    assert "no standard deviation" not in str(table)


def test_markdown_and_csv_hold_the_same(table):
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table.markdown().splitlines()
        if line.startswith("|")
    ]
    assert [row[0] for row in rows[2:]] == [name.replace("|", "\\|") for name in RIGHT]
    lines = list(csv.DictReader(io.StringIO(table.csv())))
    assert [line["variant"] for line in lines] == list(RIGHT)
    assert lines[0]["difference"] == ""
    for row, line in zip(rows[3:], lines[1:], strict=True):
        ends = [float(line[name]) for name in ("difference", "low", "high")]
        assert row[2] == "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * end for end in ends))
        assert float(line["accuracy_seed_2"]) == pytest.approx(float(line["mean"]))
        assert line["operations_per_step"] == "16266732544"


@given(*[st.text("a|\\\n _")] * 3)
def test_no_name_ends_a_cell_or_a_row_of_markdown(name, baseline, other):
    row = ResultRow(name, (0,), (0.5,), None, (), 1, others={other: OtherScore((0.5,))})
    table = ResultTable((row,), baseline, (0,), (name,), 8, others=(other,))
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [6, 6, 6, 3, 3, 3]


def test_latex_is_escaped_and_balanced(table):
    text = table.latex()
    assert r"100 \% ``$\alpha$'' $\rightarrow$ $\beta$\_1 \& more|less & 20.0 $\pm$ 0.0 & " in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {4}
    assert all(len(re.findall(r"(?<!\\)\$", row)) % 2 == 0 for row in rows)
    assert text.isascii() or all(line.startswith("%") for line in text.splitlines() if not line.isascii())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_it(table, tmp_path):
    signs = ResultRow("a_b 50 % {x}^2 ~ #1 \\ $y$ <a|b> " + "".join(map(chr, SIGNS)), (0,), (0.5,), None, (), 1)
    text = ResultTable((signs,), signs.name, (0,), (signs.name,), 1).latex() + table.latex()
    begin, end = r"\documentclass{article}\usepackage{booktabs}\begin{document}", r"\end{document}"
    (tmp_path / "page.tex").write_text(f"{begin}\n{text}{end}", encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "page.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_one_seed_says_what_it_cannot_say(tmp_path):
    table = table_of(tmp_path, seeds=(1,), done=(1,))
    assert table["full"].deviation is None
    assert "70.0 ±" not in str(table)
    assert "Of one seed there is no standard deviation, and the interval is over items alone." in str(table)
    assert next(csv.DictReader(io.StringIO(table.csv())))["deviation"] == ""


def test_what_is_not_finished_is_told_and_the_rest_is_compared(tmp_path):
    study = study_of()
    for name, seed in (("full", 0), ("full", 1), ("without spatial", 1), ("without spatial", 2)):
        leave(tmp_path, study, name, seed)
    table = gathered(study, tmp_path, {**dict.fromkeys(VARIANTS), "full": 5})
    assert "FLOP" not in str(gathered(study, tmp_path, dict.fromkeys(VARIANTS)))  # where none could be counted
    assert [row.name for row in table.rows] == ["full", "without spatial"]
    assert table["without spatial"].gaps == pytest.approx([-0.2])  # seed 1 is in both
    odd = list(RIGHT)[2]
    assert f"Not finished: full (seeds 2), without spatial (seeds 0), {odd} (seeds 0 1 2)." in str(table)
    assert len(re.findall(r" – (?=\|)", table.markdown())) == 2  # a difference, and operations


def test_without_the_full_model_there_is_nothing_to_compare_with(tmp_path):
    leave(tmp_path, study_of(), "without spatial", 0)
    with pytest.raises(ValueError, match=r"no run of 'full' in .* is finished: there is nothing to compare with"):
        gathered(study_of(), tmp_path, {})


def test_other_clips_are_refused(tmp_path):
    study = study_of()
    leave(tmp_path, study, "full", 0)
    leave(tmp_path, study, "without spatial", 0, world=9)
    with pytest.raises(ValueError, match="'without spatial' and 'full', seed 0, cannot be compared item by item"):
        gathered(study, tmp_path, dict.fromkeys(VARIANTS))


def test_the_figure_shows_every_difference(table):
    (axes,) = table.figure().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(RIGHT)[1:]
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"]
    ends = [(100 * row.difference.low, 100 * row.difference.high) for row in table.rows[1:]]
    assert [tuple(interval) for interval in intervals[1:]] == ends  # the first is the line at zero


def test_all_forms_are_written_and_a_picture_is_the_same_again(table, tmp_path):
    files = table.write(tmp_path)
    assert {file.name for file in files} == {"table.md", "table.csv", "table.tex", "figure.svg"}
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag.endswith("svg")
    assert "purl.org" not in (tmp_path / "figure.svg").read_text()
    before = {file: file.read_bytes() for file in files}
    table.write(tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.slow
def test_a_variant_of_ones_own_is_trained_and_compared(tmp_path, monkeypatch):
    (tmp_path / "mylab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    from mylab import TopK

    small = ["--data.clips=4", "--data.held_out=2", "--data.batch_size=2", "--trainer.max_epochs=1"]
    variants = {"full": {}, "mine": {"spatial": partial(TopK, k=2)}}
    table = ablation("dg_sct", task="ave", seeds=[0], variants=variants, options=small, workers=2)
    assert table["mine"].trained < table["full"].trained
    assert str(table) == str(ablation("dg_sct", task="ave", seeds=[0], variants=variants, options=small, workers=0))
