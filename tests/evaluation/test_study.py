"""A study: refused in words before any run begins, and a run known by what its options amount to."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands import MINE

from crossmodal.evaluation.ablation import finished
from crossmodal.evaluation.step_cost import DescribedCost
from crossmodal.evaluation.study import Study, configuration, resolved, system_word
from crossmodal.ledger import Cost, ModuleCost
from crossmodal.tasks.ave import TASK
from crossmodal.tasks.resolve import find_task, task_word
from crossmodal.training.options import parse

FULL = {"full": ()}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "mylab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (((), FULL, (0,), "whole"), r"baseline='whole' is none of the variants \['full'\]"),
        ((("--seed=3",), FULL, (0,)), "--seed=3 is given to every run by the ablation: leave it out"),
        (((), FULL, ()), r"seeds=\[\] must be different numbers, at least one"),
        (((), FULL, (1, 1)), r"seeds=\[1, 1\] must be different numbers"),
        (((), {**FULL, "x": ("--model.alpha", "much")}, (0,)), r"'x' \(--model.alpha much\): .*model.alpha"),
        (((), {**FULL, "x": ("--model.alhpa", "1")}, (0,)), "there is no option --model.alhpa"),
        (((), {**FULL, "x": ("--model.spatial", "mylab.Gone")}, (0,)), "'x' .*mylab.Gone"),
        (((), {**FULL, "x": ("--model.alpha=0.3",)}, (0,)), "'full' and 'x' are the same model, trained alike"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_study_is_refused(here, study, message, capsys):
    with pytest.raises(ValueError, match=rf"(?s)ablation: .*{message}"):
        Study(TASK, *study)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["--model.alpha", "0.2", "--data.clips=8"], ["--data.clips", "8", "--model.alpha=0.2"], True),
        (["--model.alpha", "0.3"], [], True),
        (["--model.edges", "[[audio, visual]]"], ["--model.edges", '[["audio","visual"]]'], True),
        (["--model.spatial", "null"], [], False),
        (["--model.spatial", "mylab.TopK"], ["--model.spatial", "mylab.TopK", "--model.spatial.k=8"], False),
        (["--system", "dg_sct_released"], [], False),
        (["--optim.lr", "0.1"], [], False),
        (["--save_minutes", "1", "--seed", "5"], [], True),
    ],
)
def test_a_configuration_is_what_options_amount_to(here, one, other, same):
    assert (configured(one) == configured(other)) is same


def configured(words):
    return configuration(TASK, *resolved(words, TASK, "a"))


def test_a_file_of_options_counts_by_its_content(here):
    file, words = Path("mine.yaml"), ["--config", "mine.yaml"]
    found = []
    for alpha in (0.2, 0.25):
        file.write_text(f"model:\n  alpha: {alpha}\n")
        found.append(configured(words))
    assert found[0] == configured(["--model.alpha", "0.2"]) != found[1]


@pytest.mark.parametrize("going_on", [False, True])
def test_a_file_that_names_a_run_moves_no_run_of_the_study(here, going_on):
    """Every `config.yaml` that `fit` writes holds the name and the folder of its own run."""
    Path("plain.yaml").write_text("model:\n  alpha: 0.2\n")
    named = f"name: x\nruns: elsewhere\nresume: {not going_on}\nseed: 7\n"
    Path("named.yaml").write_text(f"{named}model:\n  alpha: 0.2\ndata:\n  seed: 7\n")
    plain, study = (
        Study(TASK, ("--config", f"{file}.yaml"), {**FULL, "x": ("--model.spatial", "null")}, (3, 4))
        for file in ("plain", "named")
    )
    assert [run.name for run in study.runs] == [run.name for run in plain.runs]
    for run in study.runs if going_on else ():
        (here / "study" / run.name).mkdir(parents=True)
        (here / "study" / run.name / "config.yaml").write_text("model:\n  alpha: 0.2\n")
    printed = [shlex.split(line.partition(" fit ")[2])[:-1] for line in study.commands(here / "study")]
    for run, words in zip(study.runs, printed, strict=True):
        for command in (run.command(here / "study")[2:], [*words, str(going_on).lower()]):
            given = parse(command, TASK)[1]
            found = given.runs / given.name, given.resume, given.seed, given.data.seed
            assert found == (here / "study" / run.name, going_on, run.seed, run.seed)


def test_runs_are_named_by_variant_seed_and_configuration_and_finish_seed_by_seed():
    study = Study(TASK, ("--data.clips", "4"), {**FULL, "no α": ("--model.alpha", "0")}, (0, 1))
    assert [(run.row, run.seed) for run in study.runs] == [(row, seed) for seed in (0, 1) for row in study.variants]
    names = [run.name for run in study.runs]
    assert len(set(names)) == 4
    assert [name.rsplit("-", 1)[0] for name in names] == ["full-0", "no-α-0", "full-1", "no-α-1"]
    written = Study(TASK, ("--data.clips=4",), {"full": ("--model.alpha", "0.3")}, (0,))
    assert written.runs[0].name == names[0]
    assert Study(TASK, ("--data.clips=5",), FULL, (0,)).runs[0].name != names[0]


def test_printed_commands_stand_alone_and_go_on(here):
    study = Study(
        TASK, (), {**FULL, "mine": ("--model.spatial", "mylab.TopK", "--model.edges", "[[audio, visual]]")}, (3,)
    )
    place = here / "all runs"
    (place / study.runs[0].name).mkdir(parents=True)
    (place / study.runs[0].name / "summary.json").write_text('{"test": {"accuracy": 0.5}}')
    (line,) = study.commands(Path("all runs"))  # the other one is finished
    told = f"printf '%s\\n' {line.partition(' -m crossmodal ')[2]}"
    begun = place / study.runs[1].name

    def said():
        return subprocess.run(["sh", "-c", told], capture_output=True, text=True, check=True).stdout.splitlines()

    assert line.startswith(f"cd {here} && {shlex.quote(sys.executable)} -m crossmodal ave fit ")
    expected = ["ave", "fit", "--model.spatial", "mylab.TopK", "--model.edges", "[[audio, visual]]"]
    expected += ["--seed", "3", "--data.seed", "3", "--trainer.enable_progress_bar", "false"]
    expected += ["--runs", str(place), "--name", begun.name, "--resume", "false"]
    assert said() == expected
    begun.mkdir()
    (begun / "config.yaml").write_text("system: dg_sct\n")
    assert said()[-1] == "true"


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (
            "optim:\n  lr: 0.5\n",
            r"ablation: the run \S+full-0-\w+ was begun with optim\.lr=0\.5, .* means optim\.lr=0\.002",
        ),
        (
            "optim:\n  lr: 0.002\nmodel:\n  visual_weights: run-0\n  visual_options:\n    folds: [[run-0, 2], 0]\n",
            None,
        ),
        (
            "model:\n  visual_options:\n    folds: [[run-1, 2], 0]\n",
            r"folds=\[\['run-1', 2\], 0\], .*folds=\[\['run-0', 2\], 0\]",
        ),
        ("name: other\nseed: 7\ngone: 3\ntrainer:\n  enable_progress_bar: false\n", None),
    ],
    ids=["another default", "the same", "of another seed", "what does not count"],
)
def test_a_run_that_was_begun_with_another_default_is_not_taken_for_the_same(here, then, message):
    listed = ("--model.visual_options", '{"folds": [["run-{seed}", 2], {seed}]}')
    study = Study(TASK, ("--model.visual_weights", "run-{seed}", *listed), FULL, (0,))
    begun = study.runs[0].place(here)
    begun.mkdir()
    (begun / "config.yaml").write_text(then)
    for refused in (lambda: finished(study, here, workers=1), lambda: list(study.commands(here))):
        if message:
            with pytest.raises(ValueError, match=message):
                refused()
    if not message:
        study.check_begun(here)


def test_a_printed_command_finds_what_this_process_was_told_to_find(here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/a lab")
    assert " && PYTHONPATH='/a lab' " in next(Study(TASK, (), FULL, (0,)).commands(Path("runs")))


def test_what_a_step_costs_is_counted_where_it_can_be(monkeypatch):
    monkeypatch.setattr("crossmodal.evaluation.study.described_cost", counted)
    study = Study(TASK, ("--data.batch_size", "2"), {"full": (), "odd": ("--model.alpha", "1")}, (0,))
    assert study.operations("full") == 22  # ten for a clip, one for a word
    assert study.operations("odd") is None


def counted(words, task, clips):
    """Stands in for `described_cost`: a model with `alpha` looks at values."""
    if "--model.alpha" in words:
        raise ValueError("cost: AudioVisualEvents cannot run on tensors without data: it looks at values.")
    return DescribedCost(Cost({"": ModuleCost(forward=10 * clips, backward=len(words))}, 0), [])


MY_TASK = """
from crossmodal.tasks.ave import EventLocalization


class Mine(EventLocalization):
    name = "mine"


TASK = Mine()
"""


def test_tasks_and_systems_are_called_as_the_command_line_finds_them(here):
    from crossmodal.recipes.ave.lavish import lavish

    (here / "mytask.py").write_text(MY_TASK)
    mine = find_task("mytask")
    assert (task_word(TASK), task_word(mine)) == ("ave", "mytask")
    assert Study(mine, ("--system", "crossmodal.recipes.ave.dg_sct"), FULL, (0,)).runs[0].command(here)[0] == "mytask"
    assert (system_word(lavish, TASK), system_word(print, TASK), system_word(lavish, mine)) == ("lavish", None, None)
