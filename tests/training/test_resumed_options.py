"""Options that a run which resumes is given anew: what is heeded is told, what nothing would read is refused."""

import pytest
from commands import crossmodal
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.training.checkpoint_io import CHECKPOINTS, LAST
from crossmodal.training.resumed_options import changed, check_resumed_options, told_changes
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
    found = dict.fromkeys(option.name for option in changed(before, now))
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
    expected = [option for option in changed(before, now) if option.name.startswith(tuple(unread))] if unread else []
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
