"""Without a terminal there is a line for every epoch in the place of the bar; with one, or on request, the bar."""

import sys
from types import SimpleNamespace

import pytest
import torch

from crossmodal.training.epoch_lines import EpochLines, with_lines
from crossmodal.training.fit import trainer_of

QUIET = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "accelerator": "cpu"}


def test_a_line_says_epoch_step_time_and_what_the_bar_would(capsys):
    lines = EpochLines()
    shown = {"train_loss": torch.tensor(1.23456), "val_accuracy": torch.tensor(0.5)}
    for epoch in range(2):
        trainer = SimpleNamespace(
            is_global_zero=True,
            max_epochs=2,
            current_epoch=epoch,
            global_step=4 * epoch + 4,
            progress_bar_metrics=shown,
        )
        lines.on_train_epoch_end(trainer, None)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "epoch 1/2, step 4, 0 s     train_loss 1.235, val_accuracy 0.5"
    assert second.startswith("epoch 2/2, step 8, ")
    lines.on_train_epoch_end(SimpleNamespace(is_global_zero=False), None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_take_the_place_of_the_bar_where_there_is_no_terminal(terminal, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    trainer = trainer_of(QUIET)
    assert (trainer.progress_bar_callback is not None) == terminal
    assert any(isinstance(callback, EpochLines) for callback in trainer.callbacks) != terminal
    for asked in (True, False):  # what is asked for stays
        options, callbacks = with_lines({"enable_progress_bar": asked}, [])
        assert (options["enable_progress_bar"], callbacks) == (asked, [])
