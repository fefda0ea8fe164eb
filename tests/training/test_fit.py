"""Training by Lightning: its complaints in one sentence, and no memory that grows from epoch to epoch."""

import gc

import pytest
from commands import SMALL, crossmodal
from torch import Tensor, nn

from crossmodal.training.lightning_module import SystemTraining


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trainer.max_epochs=-5"], "`max_epochs` must be a non-negative integer or -1"),
        (["--trainer.limit_val_batches=1.5"], "limit_val_batches"),
        (["--trainer.accelerator=cpu", "--trainer.devices=0"], "devices"),
    ],
    ids=lambda words: str(words[0]),
)
def test_what_the_trainer_refuses_is_one_sentence(tmp_path, words, said):
    told = crossmodal(tmp_path, "ave", "fit", *SMALL, *words)
    assert told.code == 1
    (line,) = told.err.strip().splitlines()
    assert line.startswith("crossmodal: --trainer options that do not go together, or not here: ")
    assert said in line


STOPPING = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.mode=max"]


def test_a_training_that_is_cut_short_before_its_first_validation_stops_early_as_well(tmp_path):
    said = crossmodal(
        tmp_path, "ave", "fit", *SMALL, "--trainer.max_steps=1", *STOPPING, "--trainer.callbacks.monitor=val_accuracy"
    )
    assert said.code == 0, said.err
    assert "selected on        nothing: no validation was run" in said.out


def test_a_score_that_is_none_and_is_to_stop_a_training_is_named_in_one_sentence(tmp_path):
    said = crossmodal(tmp_path, "ave", "fit", *SMALL, *STOPPING, "--trainer.callbacks.monitor=val_acuracy")
    assert said.code == 1
    line = said.err.strip().splitlines()[-1]
    assert line.startswith("crossmodal: --trainer.callbacks: Early stopping conditioned on metric `val_acuracy`")
    assert "`val_accuracy`" in line


@pytest.fixture
def frozen():
    """Leaves out of the garbage collector what is there already: it takes seconds to search, and is no test's own."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
def test_tensors_do_not_pile_up_over_epochs(tmp_path, monkeypatch):
    sizes = []

    def count(task):
        gc.collect()
        tensors = [each for each in gc.get_objects() if type(each) in (Tensor, nn.Parameter)]
        sizes.append((len(tensors), sum(tensor.nbytes for tensor in tensors)))

    monkeypatch.setattr(SystemTraining, "on_train_epoch_start", count)
    words = ["--trainer.max_epochs=5", "--data.clips=2", "--save_minutes=0"]
    assert crossmodal(tmp_path, "ave", "fit", *SMALL, *words).code == 0
    assert len(sizes) == 5
    assert len(set(sizes[2:])) == 1, sizes
