"""Shape checks cost less than two hundredths of a training step of the tiny model."""

import statistics
import time

import pytest
import torch
from systems import tiny

from crossmodal import shapes
from crossmodal.heads import event_loss
from crossmodal.shapes import shape_checks
from crossmodal.signature import look_of_call, look_of_result


@pytest.fixture
def step():
    """A training step of eight clips, as `ave fit` runs it."""
    torch.manual_seed(0)
    model = tiny().train()
    frames, wave, labels = torch.rand(8, 10, 3, 64, 64), torch.randn(8, 10, 16_000), torch.randint(0, 7, (8, 10))
    return lambda: event_loss(model.score(frames, wave), labels).backward()


def seconds(run):
    begun = time.process_time()
    run()
    return time.process_time() - begun


def test_to_look_at_all_calls_of_a_step_takes_little_of_its_time(step, monkeypatch):
    """What a step adds once its calls have passed: the looks, here of every call again, each at its fastest."""
    calls = []

    def recorded(args, kwargs):
        calls.append((args, kwargs))
        return look_of_call(args, kwargs)

    step()
    monkeypatch.setattr(shapes, "look_of_call", recorded)
    whole = min(seconds(step) for _ in range(2))
    assert len(calls) > 500
    asked = calls[len(calls) // 2 :]
    looks = min(
        seconds(lambda: [(look_of_call(args, kwargs), look_of_result(args)) for args, kwargs in asked])
        for _ in range(5)
    )
    assert looks < 0.02 * whole


@pytest.mark.slow
def test_checked_and_unchecked_steps_in_turns(step):
    step()
    on, off = [], []
    for _ in range(25):
        on.append(seconds(step))
        with shape_checks(False):
            off.append(seconds(step))
    assert statistics.median(checked / unchecked for checked, unchecked in zip(on, off, strict=True)) < 1.02
