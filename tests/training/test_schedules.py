"""A learning rate that rises and falls once."""

import pytest
import torch
from systems import tiny, training

from crossmodal.data.source import WorldSource
from crossmodal.training.data_module import DataModule
from crossmodal.training.fit import train
from crossmodal.training.options import TRAINER
from crossmodal.training.schedules import one_cycle


def rates(steps, **options):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.5)
    schedule, seen = one_cycle(optimizer, steps, **options), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize("warmup", [0.1, 0.5])
def test_it_rises_to_the_rate_and_falls_to_almost_nothing(warmup):
    seen = rates(100, warmup=warmup)
    top = seen.index(max(seen))
    assert max(seen) == pytest.approx(0.5)
    assert abs(top - 100 * warmup) <= 1
    assert seen[: top + 1] == sorted(seen[: top + 1])
    assert seen[top:] == sorted(seen[top:], reverse=True)
    assert seen[-1] < 1e-3 * 0.5


def test_a_training_steps_it_with_every_batch(tmp_path):
    task, seen = training(tiny(), lr=0.1, schedule=one_cycle), []
    task.on_train_batch_end = lambda *_: seen.append(task.trainer.optimizers[0].param_groups[0]["lr"])
    data = DataModule(WorldSource(clips=4, held_out=2, batch_size=2))
    options = {"max_epochs": 2, "enable_progress_bar": False, **TRAINER}
    train(tmp_path, task, data, None, monitor="val_accuracy", seed=0, options=options)
    assert len(set(seen)) == 4  # two epochs of two batches, a rate each
