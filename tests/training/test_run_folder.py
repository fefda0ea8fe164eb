"""The folder of a run: claimed by one process at a time, let go by a dead one, and never left empty."""

import os
import signal
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from commands import SMALL, crossmodal
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.data.source import AVESource
from crossmodal.data.vocabulary import Vocabulary, as_text
from crossmodal.testing.ave_layout import write_ave
from crossmodal.training.going_on import command_to_test, resume_command, telling_how_to_go_on
from crossmodal.training.run import check_classes, check_items, prepare_source
from crossmodal.training.run_folder import CONFIG, check_run_name, claimed_run, read_summary


def claim(runs, name="run", **how):
    return claimed_run(runs, name, **{"resume": False, **how})


def test_a_claimed_run_is_refused_or_named_otherwise_and_none_stays_behind_empty(tmp_path):
    runs = tmp_path / "runs"
    with ExitStack() as held:
        first, *others = (held.enter_context(claim(runs, numbered=True)) for _ in range(4))
        assert [each.name for each in (first, *others)] == ["run", "run-2", "run-3", "run-4"]
        with pytest.raises(BlockingIOError, match=r"runs/run/ is being trained by another process: wait for it"):
            held.enter_context(claim(runs))
        (first / CONFIG).write_text("")
        with pytest.raises(BlockingIOError, match="is being trained by another process"):
            held.enter_context(claim(runs, resume=True))
        with pytest.raises(FileExistsError, match="choose another --name"):
            held.enter_context(claim(runs))
    assert list(runs.iterdir()) == [first]
    with claim(runs, resume=True) as run:
        assert run == first


def test_two_that_start_at_once_never_share_a_folder(tmp_path):
    """Forked processes claim the same default name; each notes what it got."""
    children = []
    for _ in range(6):
        if not (child := os.fork()):
            with claim(tmp_path, numbered=True) as run:
                (run / "mine").touch(exist_ok=False)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert sorted(run.name for run in tmp_path.iterdir()) == ["run", *(f"run-{at}" for at in range(2, 7))]


def test_a_killed_process_lets_go_and_one_that_it_forked_holds_nothing(tmp_path):
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with claim(tmp_path) as run:
            (run / CONFIG).touch()
            if not os.fork():  # as a reader of data; it speaks itself, for then it has let go
                os.write(writing, str(os.getpid()).encode())
            signal.pause()
    reader = int(os.read(reading, 20))
    with pytest.raises(BlockingIOError), claim(tmp_path, resume=True):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with claim(tmp_path, resume=True):
        os.kill(reader, signal.SIGKILL)


@pytest.mark.parametrize("error", [9, 37, 38, 95])  # EBADF as of NFS, ENOLCK, ENOSYS, EOPNOTSUPP
def test_where_the_file_system_has_no_locks_it_goes_on_without(tmp_path, monkeypatch, error):
    def fail(*_):
        raise OSError(error, "no locks")

    monkeypatch.setattr("fcntl.flock", fail)
    with claim(tmp_path) as run:
        assert run.is_dir()


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "", "  ", ".", "a\0b"])
def test_a_name_that_leaves_the_folder_of_runs_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="must name a folder inside that of --runs"), claim(tmp_path, name):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a/b", "a b", "..a", "-a", "Straße", "a.b"])
def test_other_names_are_taken(name):
    check_run_name(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seed", "-1"], "ave fit: --seed -1 must be at least 0."),
        (["--seed", "4294967296"], "ave fit: --seed 4294967296 must be below 4294967296"),
        (["--trainer.accumulate_grad_batches", "0"], "--trainer.accumulate_grad_batches 0 must be at least 1."),
        (["--data.clips", "0"], "--data.clips 0 must be at least 1."),
        (["--data.held_out", "0"], "--data.held_out 0 must be at least 1."),
        (["--data.batch_size", "0"], "--data.batch_size 0 must be at least 1."),
        (["--data.workers", "-1"], "--data.workers -1 must be at least 0."),
        (["--optim.every", "0"], "--optim.every 0 must be at least 1."),
        (["--optim.lr", ".nan"], "--optim.lr nan must be at least 0."),
        (["--name", "../out"], "--name '../out' must name a folder inside that of --runs"),
    ],
)
def test_what_no_training_can_have_is_one_sentence_and_leaves_nothing(tmp_path, words, said):
    told = crossmodal(tmp_path, "ave", "fit", *words)
    assert told.code == 1
    (line,) = told.err.strip().splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())


def test_without_validation_the_last_weights_are_tested_and_it_is_told(tmp_path):
    short = ["--trainer.max_epochs=1", "--trainer.limit_val_batches=0"]
    said = crossmodal(tmp_path, "ave", "fit", "--name=a", *SMALL, *short)
    assert said.code == 0, said.err
    assert (
        "No validation is run (--trainer.limit_val_batches 0): the last weights are tested, not the best." in said.out
    )
    assert "selected on        nothing: no validation was run, so these are the scores of the last weights" in said.out
    assert "selected_on" not in read_summary(tmp_path / "runs/a")


def test_commands_that_go_on_are_words_of_a_shell(tmp_path):
    run = tmp_path / "my runs/-it's"
    assert resume_command(run, "ave").startswith("crossmodal ave fit --runs '")
    assert resume_command(run, "ave").endswith("""my runs' '--name=-it'"'"'s' --resume true""")
    assert command_to_test(run, "mylab.task").startswith("crossmodal mylab.task test --run '")
    for stopped, expected in ((KeyboardInterrupt(), KeyboardInterrupt), (SystemExit(1), KeyboardInterrupt)):
        with (
            pytest.raises(expected, match=r"^interrupted; go on with: the command$"),
            telling_how_to_go_on("the command"),
        ):
            raise stopped
    with pytest.raises(OSError, match=r"^full; go on with: the command$"), telling_how_to_go_on("the command"):
        raise OSError("full.")


def test_a_damaged_summary_is_named(tmp_path):
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"summary\.json is damaged .*test the run again"):
        read_summary(tmp_path)


def test_a_missing_item_of_any_split_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ave("AVE", {"train": 2, "val": 1, "test": 2}, wave_rate=16_000)
    source = AVESource(tmp_path / "AVE", wave_rate=16_000)
    check_items(source, ("train", "val", "test"))
    (tmp_path / "AVE/wave/-test00001.npy").unlink()
    check_items(source, ("train", "val"))
    with pytest.raises(ValueError, match=r"^1 items of the test split .*-test00001\. The first: .* is missing"):
        check_items(source, ("train", "val", "test"))
    with pytest.raises(ValueError, match="1 items of the test split"):
        prepare_source(source, nn.Module(), tmp_path)


class Few:
    """Items of a split, by their number alone, and a source of them."""

    def __init__(self, count, classes=("a", "b")):
        self.count, self.classes = count, classes

    def __len__(self):
        return self.count

    def split(self, name):
        return self

    def describe(self):
        return "these data"


def test_a_split_without_items_is_named_before_the_training():
    with pytest.raises(ValueError, match="the val split of these data holds no item"):
        check_items(Few(0), ("val",))


VOCABULARIES = st.tuples(st.permutations("abc"), st.permutations(["<pad>", "x", "y"])).map(lambda of: Vocabulary(*of))


@given(VOCABULARIES | st.permutations("abc"), VOCABULARIES | st.permutations("abc"))
def test_a_run_reads_data_of_its_own_labels_in_their_order(known, given_ones):
    system = SimpleNamespace(classes=known)
    if as_text(known) == as_text(given_ones):
        check_classes(Few(1, given_ones), system, "data")
    else:
        with pytest.raises(
            ValueError, match=r"^data has other labels than the run: the training knew 3 labels, the data"
        ):
            check_classes(Few(1, given_ones), system, "data")
    system.labels_are_unread = True
    check_classes(Few(1, given_ones), system, "data")
