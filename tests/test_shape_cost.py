"""Shape checks cost at most three hundredths of a forward of one clip without gradients by the tiny model."""

import statistics
import sys
import time
from collections import Counter

import pytest
import torch
from systems import tiny

from crossmodal import check_cache
from crossmodal.shapes import shape_checks


def forward():
    """One clip without gradients: what `predict` runs, and where checks weigh most."""
    torch.manual_seed(0)
    model = tiny().eval()
    frames, wave = torch.rand(1, 10, 3, 64, 64), torch.randn(1, 10, 16_000)
    return torch.no_grad()(lambda: model.score(frames, wave))


def test_a_forward_that_has_passed_checks_its_border_alone():
    run = forward()
    run()
    run()
    entered = Counter()

    def count(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.partition(".")[0] in ("jaxtyping", "beartype", "crossmodal"):
            entered[frame.f_code.co_name if module == check_cache.__name__ else module.partition(".")[0]] += 1

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    assert entered["module_state"] == 1
    assert entered["_key"] < 20  # there are 286 checked calls inside
    assert entered["jaxtyping"] == entered["beartype"] == 0


def seconds(run):
    begun = time.process_time()
    run()
    return time.process_time() - begun


@pytest.mark.slow
def test_checked_and_unchecked_in_turns(capsys):
    run = forward()
    on, off = [], []
    for _ in range(103):
        on.append(seconds(run))
        with shape_checks(False):
            off.append(seconds(run))
    pairs = list(zip(on, off, strict=True))[3:]  # the first ones are checked inside
    cost = statistics.median(checked / unchecked for checked, unchecked in pairs) - 1
    with capsys.disabled():
        print(f"\nshape checks cost {100 * cost:.1f} % of a forward of one clip (median of {len(pairs)} pairs)")
    assert cost <= 0.03
