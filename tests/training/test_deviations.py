"""Habits of the released training, each alone: what it does by a plain loop, and the sentence that says so."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from commands import SMALL, crossmodal
from hypothesis import given
from hypothesis import strategies as st
from systems import parsed, tiny, training
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from crossmodal.data.source import WorldSource
from crossmodal.heads import Events, event_loss
from crossmodal.injection import fingerprint, freeze_parameters
from crossmodal.tasks import ave
from crossmodal.training.data_module import DataModule
from crossmodal.training.deviations import DropAccumulatedGradients, deviations
from crossmodal.training.fit import quietly
from crossmodal.training.run import build

ALONE = {
    "frozen encoders are left in training mode": ["--encoders", "crossmodal.injection.freeze_parameters"],
    "Of every 3 batches only the last": [
        "--trainer.callbacks+=crossmodal.training.deviations.DropAccumulatedGradients", "--trainer.callbacks.every=3"
    ],
    "selected on the test split": ["--data.validation=test"],
    "a sigmoid already": ["--model.gate_loss=torch.nn.functional.binary_cross_entropy_with_logits"],
}  # fmt: skip
"""Of each habit: what is said of it, and the options that make it."""


class Line(pl.LightningModule):
    """One weight a feature, by Adam: the smallest training."""

    def __init__(self, features):
        super().__init__()
        self.line = nn.Linear(features, 1)

    def training_step(self, batch, index):
        return self.line(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


def trained(model, clips, every, **options):
    with quietly():
        trainer = pl.Trainer(
            callbacks=[DropAccumulatedGradients(every)],
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            **options,
        )
        trainer.fit(model, DataLoader(clips, 2))


@given(every=st.integers(1, 4), batches=st.integers(1, 7), seed=st.integers(0, 99))
def test_dropped_gradients_are_those_of_a_loop_that_clears_at_every_batch_and_steps_at_some(every, batches, seed):
    torch.manual_seed(seed)
    clips, model = torch.randn(2 * batches, 3), Line(3)
    oracle = copy.deepcopy(model)
    optimizer = oracle.configure_optimizers()
    for _ in range(2):
        for index, batch in enumerate(clips.split(2)):
            optimizer.zero_grad()
            oracle.training_step(batch, index).backward()
            if (index + 1) % every == 0:
                optimizer.step()
    trained(model, clips, every)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), oracle.parameters(), strict=True))


def test_what_drops_gradients_refuses_to_add_them_up():
    with pytest.raises(
        ValueError, match="every=2 drops what accumulate_grad_batches=4 adds up: leave one of them at 1"
    ):
        trained(Line(3), torch.randn(4, 3), 2, accumulate_grad_batches=4)
    with pytest.raises(ValueError, match="DropAccumulatedGradients: every=0 must be at least 1"):
        DropAccumulatedGradients(0)


@pytest.fixture(scope="module")
def data():
    return partial(WorldSource, clips=4, held_out=2, batch_size=2)


def batches_of(loader):
    return [torch.cat([item.flatten().double() for item in batch]) for batch in loader]


def test_the_clips_that_weights_are_selected_on_are_those_of_the_split_that_is_said(data):
    careful, careless = DataModule(data()), DataModule(data(validation="test"))
    for one, other, same in (
        (careless.val_dataloader(), careful.test_dataloader(), True),
        (careful.val_dataloader(), careful.test_dataloader(), False),
        (careless.test_dataloader(), careful.test_dataloader(), True),
        (careless.train_dataloader(), careful.train_dataloader(), True),
    ):
        found = [torch.equal(*pair) for pair in zip(batches_of(one), batches_of(other), strict=True)]
        assert all(found) if same else not any(found)


def test_another_split_to_select_on_is_refused():
    with pytest.raises(ValueError, match=r"WorldSource: validation='train' must be 'val', or 'test' to select on"):
        WorldSource(validation="train")


def test_the_loss_of_a_gate_that_is_taken_for_a_logit():
    """The figures of the sentence: what the best gate costs, and how it is pulled."""
    events = Events(torch.zeros(1, 2), torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([[1.0, 0.0]]))
    labels = torch.tensor([[0, 3]])
    cost = event_loss(events, labels, gate_loss=F.binary_cross_entropy_with_logits) - event_loss(events, labels)
    expected = (torch.tensor(1.0).sigmoid().log() + torch.tensor(0.5).log()) / -2
    torch.testing.assert_close(cost, expected)
    assert [round(-float(value), 2) for value in (torch.tensor(1.0).sigmoid().log(), torch.tensor(0.5).log())] == [
        0.31, 0.69
    ]  # fmt: skip
    for loss, pull in ((F.binary_cross_entropy_with_logits, 0.0), (F.binary_cross_entropy, 1.0)):
        logit = torch.tensor(8.0, requires_grad=True)  # open, where there is nothing
        loss(logit.sigmoid(), torch.tensor(0.0)).backward()
        assert abs(float(logit.grad) - pull) < 1e-3


def test_statistics_move_where_only_parameters_are_frozen_and_nothing_else_does(data):
    clip = next(iter(DataModule(data()).train_dataloader()))
    moved = {}
    for name, change in (("careful", lambda encoder: encoder), ("careless", freeze_parameters)):
        torch.manual_seed(0)
        encoders = (model := tiny()).coupled.encoders
        for encoder in encoders.values():
            change(encoder)
        before, state = fingerprint(encoders), {key: value.clone() for key, value in encoders.state_dict().items()}
        model.train()(clip)
        moved[name] = {key for key, value in encoders.state_dict().items() if not torch.equal(value, state[key])}
        assert (fingerprint(encoders) == before) is (name == "careful")
        assert fingerprint(encoders, without=moved[name]) == fingerprint(
            freeze_back(encoders, state), without=moved[name]
        )
        assert not any(parameter.requires_grad for parameter in encoders.parameters())
    statistics = ("num_batches_tracked", "running_mean", "running_var")
    assert moved == {"careful": set(), "careless": {f"audio.stem.norm.{name}" for name in statistics}}


def freeze_back(encoders, state):
    encoders.load_state_dict(state)
    return encoders


def test_no_habit_by_default_and_each_by_its_part(data):
    def said(model, *callbacks, validation="val"):
        return deviations(training(model), data(validation=validation), callbacks)

    awake = tiny()
    for encoder in awake.coupled.encoders.values():
        freeze_parameters(encoder)
    assert said(tiny(), DropAccumulatedGradients(1)) == ()
    found = [
        said(awake),
        said(tiny(), DropAccumulatedGradients(3)),
        said(tiny(), validation="test"),
        said(tiny(gate_loss=F.binary_cross_entropy_with_logits)),
    ]
    assert [len(habits) for habits in found] == [1, 1, 1, 1]
    assert all(words in habit for words, (habit,) in zip(ALONE, found, strict=True))


UNTOLD = {
    "only 1 batch is run (--trainer.fast_dev_run)": {"fast_dev_run": True},
    "only 3 batches are run (--trainer.fast_dev_run)": {"fast_dev_run": 3},
    "selected on a part of the validation split (--trainer.limit_val_batches 0.5)": {"limit_val_batches": 0.5},
    "scores are of a part of the test split (--trainer.limit_test_batches 1)": {"limit_test_batches": 1},
    "Nothing is tested (--trainer.limit_test_batches 0)": {"limit_test_batches": 0},
    "trained on and validated on (--trainer.overfit_batches 2)": {"overfit_batches": 2},
}


@pytest.mark.parametrize("words", UNTOLD)
def test_what_is_run_of_the_splits_is_told(words, data):
    model, source = training(tiny()), data()
    (habit,) = deviations(model, source, trainer=UNTOLD[words])
    assert words in habit
    every = {"fast_dev_run": False, "limit_val_batches": 1.0, "limit_test_batches": None, "overfit_batches": 0.0}
    assert deviations(model, source, trainer=every) == ()


@pytest.mark.parametrize(
    "words", [pytest.param(words, marks=() if words.startswith("Of every") else pytest.mark.slow) for words in ALONE]
)
def test_on_the_command_line_each_is_had_alone_told_and_kept(words, tmp_path):
    short = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1"]
    said = crossmodal(tmp_path, "ave", "fit", "--name", "a", *SMALL, *short, *ALONE[words])
    assert said.code == 0, said.err
    habits = tuple(line.removeprefix("- ") for line in said.lines if line.startswith("- "))
    assert len(habits) == 1
    assert words in habits[0]
    assert ("selected on        the test split" in said.out) is (words == "selected on the test split")
    parser, given = parsed("--config", str(tmp_path / "runs/a/config.yaml"))
    kept = parser.instantiate(given)
    task = training(build(kept, kept.data.classes, ave.TASK), **vars(kept.optim))
    assert deviations(task, kept.data, kept.trainer.callbacks or ()) == habits
