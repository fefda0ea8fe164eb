"""Options that a run which resumes is given anew: what is heeded is told, what nothing would read is refused."""

import contextlib

import pytest
from commands import crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.cli.fit import parse_or_resume
from crossmodal.tasks.ave import TASK
from crossmodal.training.checkpoint_io import CHECKPOINTS, LAST
from crossmodal.training.options import parse
from crossmodal.training.resumed_options import changed_options, check_resumed_options, told_changes
from crossmodal.training.run_folder import ADAPTERS


@given(st.dictionaries(st.sampled_from(["seed", "root", "workers"]), st.integers(0, 1)), st.integers(0, 1))
def test_a_run_that_resumes_on_other_data_says_so(before, seed):
    now = {**before, "seed": seed, "workers": 7, "later": 1}
    said = told_changes({"data": before}, {"data": now})
    assert bool(said) == ("seed" in before and before["seed"] != seed)
    assert not said or said[0].endswith(f"than it was begun with: --data.seed {seed} ({1 - seed} before).")


VALUES = st.none() | st.integers(0, 1) | st.dictionaries(st.sampled_from("ab"), st.integers(0, 1), max_size=2)
OPTIONS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1),
        "model": st.dictionaries(st.sampled_from(["alpha", "guide"]), VALUES),
        "optim": st.fixed_dictionaries({"lr": st.integers(0, 1), "schedule": st.sampled_from([None, "one_cycle"])}),
        "trainer": st.fixed_dictionaries({"max_epochs": st.integers(0, 1)}),
        "stages": st.fixed_dictionaries(
            {"first": st.fixed_dictionaries({"optim": VALUES, "max_epochs": st.integers(0, 1)})}
        ),
    }
)


@given(OPTIONS, OPTIONS)
def test_every_option_that_an_earlier_file_has_is_compared(before, now):
    found = dict.fromkeys(option.name for option in changed_options(before, now))
    assert ("seed" in found) == (before["seed"] != now["seed"])
    for name, old in before["model"].items():
        new = now["model"].get(name)
        if not (isinstance(old, dict) and isinstance(new, dict)):  # a value in the place of a block, or a block's
            assert (f"model.{name}" in found) == (old != new)
        else:
            assert {f"model.{name}.{key}" for key in old if old[key] != new.get(key)} <= found.keys()


@pytest.mark.parametrize("state", ["new", "stage begun", "stage done", "begun"])
@given(before=OPTIONS, now=OPTIONS)
def test_what_the_run_holds_already_is_refused_and_nothing_else(tmp_path_factory, state, before, now):
    run = tmp_path_factory.mktemp("run")
    stage = run / "stages/first"
    for file, there in ((stage / CHECKPOINTS / LAST, "stage begun"), (stage / ADAPTERS, "stage done")):
        if state == there:
            file.parent.mkdir(parents=True)
            file.touch()
    unread = {
        "new": [],
        "stage begun": ["stages.first.optim"],
        "stage done": ["stages.first"],
        "begun": ["stages.first", "optim", *(["trainer.max_epochs"] * (before["optim"]["schedule"] is not None))],
    }[state]
    expected = (
        [option for option in changed_options(before, now) if option.name.startswith(tuple(unread))] if unread else []
    )
    options = {"stages": ["first"], "begun": state == "begun"}
    if not expected:
        check_resumed_options(run, before, now, **options)
        return
    with pytest.raises(ValueError, match=r"cannot be resumed with --.* before\).*begin another run by another --name"):
        check_resumed_options(run, before, now, **options)


def test_a_rate_that_the_optimizer_would_not_take_is_refused_and_the_run_left_alone(lab):
    folder, _ = lab
    before = (folder / "runs/first/config.yaml").read_text()
    more = ["--trainer.max_epochs=3", "--optim.lr=1e-9"]
    said = crossmodal(folder, "ave", "fit", "--name", "first", "--resume", "true", *more)
    assert said.code == 1
    assert "run runs/first cannot be resumed with --optim.lr 1e-09 (" in said.err
    assert "the checkpoint that it goes on from has an optimizer and a schedule of its own" in said.err
    assert (folder / "runs/first/config.yaml").read_text() == before


def test_settings_that_are_in_the_run_already_are_refused(lab):
    said = crossmodal(lab[0], "ave", "fit", "--name", "first", "--resume", "true", "--training", "released_training")
    assert said.code == 1
    assert "with --training released_training (nothing before): the values of its settings are in the run" in said.err


@given(words=st.permutations([("--name", "moved"), ("--resume", "yes"), ("--config", "more.yaml")]))
def test_the_folder_that_was_found_goes_on_wherever_it_was_begun(tmp_path_factory, words):
    """The run's own file says where it lay when it was begun, of which system, and on which data."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run = folder / "runs/moved"
    run.mkdir(parents=True)
    parser, begun = parse(["--system=lavish", "--data.folder=v", "--data.labels=l.csv", "--name=a", "--runs=b"], TASK)
    (run / "config.yaml").write_text(parser.dump(begun, skip_unset=False))
    (folder / "more.yaml").write_text("trainer: {max_epochs: 9}")
    with contextlib.chdir(folder):
        argv = ["--data.segments=5", *(word for pair in words for word in pair)]
        given_now = parse_or_resume(argv, TASK)[1]
    assert (str(given_now.runs), given_now.name, given_now.resume) == ("runs", "moved", True)
    assert (given_now.system, given_now.data.segments, given_now.trainer.max_epochs) == ("lavish", 5, 9)
