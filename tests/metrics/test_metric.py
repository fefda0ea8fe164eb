"""The same numbers as torchmetrics `Metric`s: batches, merged metrics and processes add up to the whole."""

import copy
import pickle
import subprocess
import sys
from multiprocessing import get_context
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed

from crossmodal import metrics
from crossmodal.metrics import (
    CountMetric,
    Parsing,
    SegmentCounts,
    answer_metric,
    hit_metric,
    mask_metric,
    parsing_metric,
    pointing_metric,
    segment_counts,
    segment_metric,
)


class Said(NamedTuple):
    """What a model says, as a task would hold it."""

    labels: torch.Tensor


class Batch(NamedTuple):
    """What a task would hold of clips."""

    names: list[str]
    target: torch.Tensor


def labels_of(prediction, batch):
    return prediction.labels, batch.target


def drawn(seed, clips):
    """The arguments of every metric for some clips: what the functions take."""
    random = torch.Generator().manual_seed(seed)

    def shares(*shape):
        return torch.rand(clips, *shape, generator=random)

    def kinds(*shape):
        return torch.randint(9, (clips, *shape), generator=random)

    shown = shares(4, 4) < 0.4
    shown[:, 0, 0] = True
    parsing = [Parsing(shares(5, 3) < 0.5, shares(5, 3) < 0.5) for _ in range(2)]
    return {
        segment_metric: (kinds(5), kinds(5)),
        answer_metric: (kinds(), kinds(), kinds()),
        hit_metric: (shares(6), (shares(6) < 0.5) | (torch.arange(6) == 1)),
        mask_metric: (shares(4, 4), shown),
        pointing_metric: (shares(2, 2), shown),
        parsing_metric: tuple(parsing),
    }


def part(argument, start, stop):
    return Parsing(*(x[start:stop] for x in argument)) if isinstance(argument, Parsing) else argument[start:stop]


METRICS = list(drawn(0, 1))


@pytest.mark.parametrize("metric", METRICS)
@given(clips=st.integers(1, 5), first=st.integers(0, 5), seed=st.integers(0, 99))
def test_batches_and_merged_metrics_add_up_to_the_whole(metric, clips, first, seed):
    arguments = drawn(seed, clips)[metric]
    whole, batches, merged, other = (metric() for _ in range(4))
    whole.update(*arguments)
    for batch, start, stop in ((batches, 0, first), (batches, first, clips), (merged, 0, first), (other, first, clips)):
        batch.update(*(part(argument, start, stop) for argument in arguments))
    merged.merge_state(other)
    expected = pytest.approx(whole.compute(), rel=1e-12, nan_ok=True)
    assert batches.compute() == expected
    assert merged.compute() == expected
    assert all(type(value) is float for value in whole.compute().values())


def alone(rank, store, queue):
    """One of two processes that have other clips, the second of them one batch fewer."""
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    metrics = {metric: metric() for metric in METRICS}
    for seed in range(2 - rank):
        for metric, arguments in drawn(10 * rank + seed, 3 - rank).items():
            metrics[metric].update(*arguments)
    scores = [metric.compute() for metric in metrics.values()]
    if rank == 0:
        queue.put(scores)
    distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12: gloo's threads start later
def test_processes_add_up(tmp_path):
    context = get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=alone, args=(rank, tmp_path / "store", queue)) for rank in range(2)]
    for process in processes:
        process.start()
    scores = queue.get()
    for process in processes:
        process.join()
    whole = {metric: metric() for metric in METRICS}
    for clips in (drawn(0, 3), drawn(1, 3), drawn(10, 2)):
        for metric, arguments in clips.items():
            whole[metric].update(*arguments)
    assert scores == [pytest.approx(metric.compute(), rel=1e-12, nan_ok=True) for metric in whole.values()]


def test_a_task_says_what_is_counted_of_its_prediction_and_batch():
    target = torch.tensor([[0, 1], [2, 2]])
    metric = segment_metric(read=labels_of)
    metric.update(Said(torch.tensor([[0, 1], [2, 0]])), Batch(["a", "b"], target))
    assert metric.compute() == {"accuracy": 0.75}
    assert metric.counts() == SegmentCounts(torch.tensor(3), torch.tensor(4))
    for copied in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric)), metric.clone()):
        copied.update(Said(target), Batch([], target))
        assert copied.compute() == {"accuracy": 0.875}
    metric.reset()
    assert metric.counts() == SegmentCounts(torch.tensor(0), torch.tensor(0))


def test_the_columns_are_named():
    arguments = drawn(0, 2)
    named = {}
    for metric in METRICS:
        one = metric()
        one.update(*arguments[metric])
        named[metric] = list(one.compute())
    levels = ["audio", "visual", "audio_visual", "type_at_av", "event_at_av"]
    assert named[parsing_metric] == levels + [f"{level}_events" for level in levels]
    assert named[answer_metric][:5] == ["average", "audio", "visual", "audio_visual", "audio_counting"]
    assert named[answer_metric][-1] == "audio_visual_temporal"
    assert named[mask_metric] == ["overlap", "f_measure"]
    assert named[pointing_metric] == ["accuracy", "chance"]
    assert named[hit_metric] == named[segment_metric] == ["accuracy"]


def test_counts_of_another_shape_than_zero_are_named():
    metric = CountMetric(lambda: SegmentCounts(torch.ones(2), torch.tensor(1)), segment_counts, zero=SegmentCounts(
        torch.tensor(0), torch.tensor(0)))  # fmt: skip
    with pytest.raises(ValueError, match=r"SegmentCounts.right has shape \(2,\), but zero= has \(\)"):
        metric.update()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_nothing_counted_is_named(metric):
    with pytest.raises(ValueError, match=r"_scores: no "):
        metric().compute()


def test_sums_of_shares_take_the_dtype_that_a_device_has(monkeypatch):
    monkeypatch.setattr("crossmodal.metrics.metric.exact", lambda device: torch.float32)  # as on MPS
    metric = mask_metric().to("cpu")
    assert (metric.curve.dtype, metric.frames.dtype) == (torch.float32, torch.int64)


def test_the_functions_need_no_torchmetrics():
    code = (
        "import sys; sys.modules['torchmetrics'] = None\n"
        "import torch; from crossmodal.metrics import segment_accuracy, segment_metric\n"
        "print(segment_accuracy(torch.zeros(1, 2).long(), torch.zeros(1, 2).long()).item())\n"
        "try: segment_metric()\n"
        "except ImportError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("1.0\ncrossmodal.metrics: a Metric needs torchmetrics (")
    assert 'pip install "crossmodal-blocks[recipes]"' in ran.stdout


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'segment_metrics'"):
        _ = metrics.segment_metrics
