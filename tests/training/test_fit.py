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
