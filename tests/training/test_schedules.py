"""A learning rate that rises and falls once."""

import pytest
import torch

from crossmodal.cli.ave_options import TRAINER
from crossmodal.recipes.ave.dg_sct import tiny
from crossmodal.tasks.event_training import EventTraining
from crossmodal.training.event_data import EventData
from crossmodal.training.fit import train
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
    task, seen = EventTraining(tiny(), lr=0.1, schedule=one_cycle), []
    task.on_train_batch_end = lambda *_: seen.append(task.trainer.optimizers[0].param_groups[0]["lr"])
    data = EventData(clips=4, held_out=2, batch_size=2)
    train(tmp_path, task, data, None, seed=0, options={"max_epochs": 2, "enable_progress_bar": False, **TRAINER})
    assert len(set(seen)) == 4  # two epochs of two batches, a rate each
